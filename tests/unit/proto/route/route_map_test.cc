// Goal: path to route and host to name as the manual says: longest prefix, then its patterns, no
// way back. Method: tables of requests and answers, then random prefixes against a plain search
// through a list.
#include "proto/route/route_map.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace m2 {
namespace {

template <typename Map>
Map map_of(const std::vector<std::string>& entries) {
  Map map;
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const Status status = map.add(entries[i], i);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  return map;
}

struct Row {
  std::string subject;
  std::string entry;  // "": nothing
};

template <typename Map>
void check(const std::vector<std::string>& entries, const std::vector<Row>& rows) {
  const Map map = map_of<Map>(entries);
  for (const Row& row : rows) {
    const uint32_t found = map.find(row.subject);
    EXPECT_EQ(found == Map::kNone ? "" : entries[found], row.entry) << row.subject;
  }
}

const std::vector<std::string> kRoutes = {"/",
                                          "/users/([0-9]+)",
                                          "/users",
                                          "/users/people/([0-9]+)$",
                                          "/cars-fast/([a-z]-)$",
                                          "/img/(.*).jpg$",
                                          "/img/(.*).png$",
                                          "/exact()$"};

TEST(RouteMap, LongestPrefixThenPattern) {
  check<RouteMap>(kRoutes, {{"/", "/"},
                            {"/x", "/"},
                            {"/zzz", "/"},
                            {"/Users/1", "/"},
                            {"/users", "/users"},
                            {"/usersBLAH", "/users"},
                            {"/users/1234", "/users/([0-9]+)"},
                            {"/users/1234/testing", "/users/([0-9]+)"},
                            {"/users/abc", ""},
                            {"/users/", ""},
                            {"/users/people/1234", "/users/people/([0-9]+)$"},
                            {"/users/people/12/x", ""},
                            {"/users/people", ""},
                            {"/users/people/", ""},
                            {"/cars-fast/abc", "/cars-fast/([a-z]-)$"},
                            {"/cars-fast/", "/cars-fast/([a-z]-)$"},
                            {"/cars-fast/a1", ""},
                            {"/img/foo.jpg", "/img/(.*).jpg$"},
                            {"/img/foo.png", "/img/(.*).png$"},
                            {"/img/foo.bmp", ""},
                            {"/img/", ""},
                            {"/img", "/"},
                            {"/exact", "/exact()$"},
                            {"/exactx", ""},
                            {"/exac", "/"},
                            {"/users/%31", ""},
                            {"/%75sers/5", "/"},
                            {"", ""},
                            {"*", ""}});
}

// A path that is itself only the beginning of a prefix does not reach that route.
TEST(RouteMap, NoPartialPrefix) {
  check<RouteMap>({"/", "/users"}, {{"/us", "/"}, {"/usx", "/"}, {"/users", "/users"}});
  check<RouteMap>({"/users"}, {{"/us", ""}, {"/", ""}, {"", ""}});
}

TEST(RouteMap, RoutesOfTheManual) {
  check<RouteMap>({"@chat", "/handlertest", "/chat/", "/", "/tests/", "/testsmulti/(.*.json)",
                   "/images/(\\a-\\-\\d+\\.jpg)", "/mp3stream"},
                  {{"@chat", "@chat"},
                   {"@chatter", "@chat"},
                   {"@chat/sub", "@chat"},
                   {"@", ""},
                   {"<xml", ""},
                   {"/handlertest?", "/handlertest"},
                   {"/tests/sample.html", "/tests/"},
                   {"/testsmulti/sample.json", "/testsmulti/(.*.json)"},
                   {"/testsmulti/sample.html", ""},
                   {"/tests", "/"},
                   {"/images/ab-12.jpg", "/images/(\\a-\\-\\d+\\.jpg)"},
                   {"/images/ab.jpg", ""}});
}

TEST(RouteMap, PrefixIsRawBytes) {
  check<RouteMap>({"/a\\.b/(x)", "<tag", "/\xc3\xa9/"}, {{"/a.b/x", ""},
                                                         {"/a\\.b/x", "/a\\.b/(x)"},
                                                         {"<tag", "<tag"},
                                                         {"/\xc3\xa9/x", "/\xc3\xa9/"},
                                                         {"/\xc3", ""}});
}

TEST(RouteMap, SamePrefixInOrderPlainLast) {
  check<RouteMap>({"/p/", "/p/(a)", "/p/(ab)$", "/p/(b)"},
                  {{"/p/ab", "/p/(a)"}, {"/p/b", "/p/(b)"}, {"/p/c", "/p/"}});
  check<RouteMap>({"/p/(ab)$", "/p/(a)"}, {{"/p/ab", "/p/(ab)$"}, {"/p/abc", "/p/(a)"}});
  const RouteMap twice = map_of<RouteMap>({"/p", "/p", "/q(x)", "/q(x)"});
  EXPECT_EQ(twice.find("/p"), 0u);
  EXPECT_EQ(twice.find("/qx"), 2u);
}

TEST(RouteMap, PatternFromTheFirstByteOn) {
  check<RouteMap>({"(.*)$", "/a"}, {{"/b", "(.*)$"}, {"", "(.*)$"}, {"/a", "/a"}});
}

TEST(RouteMap, RefusesBadPatterns) {
  RouteMap map;
  const Status status = map.add("/x/([a-", 7);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.message(),
            "route \"/x/([a-\": pattern \"([a-\", byte 2: the set is not closed; add \"]\", or "
            "write \"\\[\" for a bracket");
  EXPECT_FALSE(map.add("/x/([a-", 7).ok());  // still, the second time
  EXPECT_EQ(map.find("/x/a"), RouteMap::kNone);
  // A refused entry is no entry: a shorter prefix is not hidden by it.
  ASSERT_TRUE(map.add("/", 1).ok());
  EXPECT_EQ(map.find("/x/a"), 1u);
}

TEST(RouteMap, EmptyAndMoved) {
  RouteMap map;
  EXPECT_EQ(map.find("/"), RouteMap::kNone);
  ASSERT_TRUE(map.add("/a", 5).ok());
  RouteMap moved = std::move(map);
  EXPECT_EQ(moved.find("/ab"), 5u);
}

// Many random prefixes over few letters, so that every kind of node arises, checked one by one.
TEST(RouteMap, AgreesWithAPlainSearch) {
  std::mt19937 random(7);
  const auto word = [&](size_t longest) {
    std::string text = "/";
    for (size_t n = random() % longest; n > 0; --n) text += "ab\xff/0"[random() % 5];
    return text;
  };
  std::vector<std::string> prefixes;
  RouteMap map;
  for (uint32_t i = 0; i < 3000; ++i) {
    prefixes.push_back(word(9));
    ASSERT_TRUE(map.add(prefixes.back(), i).ok());
  }
  for (int round = 0; round < 3000; ++round) {
    const std::string path = word(12);
    uint32_t best = RouteMap::kNone;
    for (uint32_t i = 0; i < prefixes.size(); ++i) {
      if (!path.starts_with(prefixes[i])) continue;
      if (best == RouteMap::kNone || prefixes[i].size() > prefixes[best].size()) best = i;
    }
    ASSERT_EQ(map.find(path), best) << path;
  }
}

// The widest node there can be, filled in an order that is neither up nor down.
TEST(RouteMap, AllBytesAsChildren) {
  RouteMap map;
  const auto route = [](uint32_t byte) { return std::string("/") + static_cast<char>(byte); };
  for (uint32_t i = 0; i < 256; ++i) {
    const uint32_t byte = i ^ 0x55;
    if (byte == '(') continue;
    ASSERT_TRUE(map.add(route(byte), byte).ok());
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(map.find(route(byte) + "tail"), byte == '(' ? RouteMap::kNone : byte);
  }
}

TEST(HostMap, SuffixesAndPatterns) {
  check<HostMap>({"test.com", "(.*).example.org", "www.example.org", "localhost", "(\\d+).net"},
                 {{"test.com", "test.com"},
                  {"www.test.com", "test.com"},
                  {"xtest.com", "test.com"},
                  {"test.com.evil", ""},
                  {"a.b.example.org", "(.*).example.org"},
                  {".example.org", "(.*).example.org"},
                  {"example.org", ""},
                  {"www.example.org", "www.example.org"},
                  {"xwww.example.org", "www.example.org"},
                  {"localhost", "localhost"},
                  {"123.net", "(\\d+).net"},
                  {"12a.net", ""},
                  {"", ""}});
}

// A name that is only the end of an entry is not that entry.
TEST(HostMap, NoPartialSuffix) {
  check<HostMap>({"test.com"}, {{"com", ""}, {"om", ""}, {"m", ""}, {"est.com", ""}});
}

TEST(HostMap, LongestSuffixWinsWithoutSecondTry) {
  check<HostMap>({"org", "(a).example.org"},
                 {{"a.example.org", "(a).example.org"}, {"b.example.org", ""}, {"x.org", "org"}});
}

TEST(HostMap, CaseDoesNotCount) {
  check<HostMap>({"Test.COM", "(\\u+-[A-F]).Example.org"},
                 {{"TEST.com", "Test.COM"},
                  {"test.com", "Test.COM"},
                  {"abc-D.EXAMPLE.org", "(\\u+-[A-F]).Example.org"},
                  {"abc-g.example.org", ""}});
}

// HTTP/1.0 without a Host: the default host, as docs/routing.md promises.
TEST(HostMap, NoNameIsNobody) { check<HostMap>({"(.*)"}, {{"", ""}, {":80", ""}, {"a", "(.*)"}}); }

TEST(HostMap, PortIsIgnored) {
  check<HostMap>({"a.b", "[::1]", "(.*).c"}, {{"a.b:80", "a.b"},
                                              {"a.b:", "a.b"},
                                              {"[::1]:6767", "[::1]"},
                                              {"[::1]", "[::1]"},
                                              {"[::1", ""},
                                              {"[::2]:80", ""},
                                              {"x.c:8080", "(.*).c"},
                                              {":80", ""}});
}

TEST(HostMap, SamePlaceInOrder) {
  const HostMap map = map_of<HostMap>({"(a).x", "(.*).x", "(b).x", ".x", "y", "Y"});
  EXPECT_EQ(map.find("a.x"), 0u);
  EXPECT_EQ(map.find("b.x"), 1u);
  EXPECT_EQ(map.find("y"), 4u);
}

TEST(HostMap, NamesHaveALimit) {
  HostMap map = map_of<HostMap>({"(.*).example.org"});
  const std::string tail = ".example.org";
  EXPECT_EQ(map.find(std::string(HostMap::kNameMax - tail.size(), 'a') + tail), 0u);
  EXPECT_EQ(map.find(std::string(HostMap::kNameMax - tail.size() + 1, 'a') + tail), HostMap::kNone);
  EXPECT_EQ(map.find(std::string(100'000, 'a') + tail), HostMap::kNone);
  EXPECT_FALSE(map.add(std::string(HostMap::kNameMax + 1, 'a'), 1).ok());
  EXPECT_TRUE(map.add(std::string(HostMap::kNameMax, 'a'), 1).ok());
  EXPECT_EQ(map.find(std::string(HostMap::kNameMax, 'A')), 1u);
}

TEST(HostMap, RefusesBadEntries) {
  HostMap map;
  for (const std::string entry : {"(a", "a)(b", "(a[).com"}) {
    const Status status = map.add(entry, 0);
    ASSERT_FALSE(status.ok()) << entry;
    EXPECT_TRUE(status.message().starts_with("host matching \"" + entry + "\": "))
        << status.message();
  }
}

}  // namespace
}  // namespace m2
