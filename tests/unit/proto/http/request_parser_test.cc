// Goal: every rule about request lines, targets, line ends and limits is kept, and none more.
// Method: tables of requests, each with the head in words that it means or the refusal it gets;
// every row is read whole and in small steps. The rules about fields are in request_fields_test.cc.
#include "proto/http/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/unit/proto/http/request_outcome.h"

namespace m2 {
namespace {

TEST(RequestParser, RequestLine) {
  expect_head("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / @h HTTP/1.1 keep | Host=h");
  expect_head("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0 close");
  expect_head("get / HTTP/1.0\r\n\r\n", "get / HTTP/1.0 close");
  expect_head("M-SEARCH /x HTTP/1.0\r\n\r\n", "M-SEARCH /x HTTP/1.0 close");
  expect_head("!#$%&'*+-.^_`|~09aZ / HTTP/1.0\r\n\r\n", "!#$%&'*+-.^_`|~09aZ / HTTP/1.0 close");
  expect_head("A2345678901234567890 / HTTP/1.0\r\n\r\n", "A2345678901234567890 / HTTP/1.0 close");
  expect_head("GET / HTTP/1.7\r\nHost: h\r\n\r\n", "GET / @h HTTP/1.1 keep | Host=h");
  expect_head("PRI / HTTP/1.0\r\n\r\n", "PRI / HTTP/1.0 close");
}

TEST(RequestParser, BadRequestLine) {
  const struct {
    const char* line;
    int status;
    const char* reason;
  } rows[] = {
      {"GET /", 400, "does not end in HTTP/"},
      {"GET", 400, "does not end in HTTP/"},
      {"GET / HTTP/0.9", 400, "does not end in HTTP/"},
      {"GET / http/1.1", 400, "does not end in HTTP/"},
      {"GET / HTTP/1", 400, "does not end in HTTP/"},
      {"GET / HTTP/1.", 400, "does not end in HTTP/"},
      {"GET / HTTP/1.1 ", 400, "does not end in HTTP/"},
      {"GET / HTTP/11.1", 400, "does not end in HTTP/"},
      {"GET / HTTP/1,1", 400, "does not end in HTTP/"},
      {"GET /HTTP/1.1", 400, "does not end in HTTP/"},
      {"GET /\tHTTP/1.1", 400, "does not end in HTTP/"},
      {"GET / HTTP/2.0", 505, "only HTTP/1.0"},
      {"GET / HTTP/3.0", 505, "only HTTP/1.0"},
      {"PRI * HTTP/2.0", 505, "only HTTP/1.0"},
      {"GET  / HTTP/1.1", 400, "blank in the target"},
      {"GET /  HTTP/1.1", 400, "blank in the target"},
      {"GET /a b HTTP/1.1", 400, "blank in the target"},
      {"GET HTTP/1.1", 400, "target is missing"},
      {"GET  HTTP/1.1", 400, "target is missing"},
      {" HTTP/1.1", 400, "target is missing"},
      {" GET / HTTP/1.1", 400, "method is not a token"},
      {"G(T / HTTP/1.1", 400, "method is not a token"},
      {"G\x01T / HTTP/1.1", 400, "method is not a token"},
      {"G\xc3\xa9T / HTTP/1.1", 400, "method is not a token"},
      {"GET\t/ HTTP/1.1", 400, "method is not a token"},
      {"\rGET / HTTP/1.1", 400, "method is not a token"},
      {"\x16\x03\x01 / HTTP/1.1", 400, "method is not a token"},
      {"A23456789012345678901 / HTTP/1.1", 501, "longer than 20"},
      {"CONNECT h:80 HTTP/1.1", 501, "CONNECT"},
      {"CONNECT / HTTP/1.1", 501, "CONNECT"},
      {"TRACE / HTTP/1.1", 501, "TRACE"},
  };
  for (const auto& row : rows) {
    expect_refused(std::string(row.line) + "\r\nHost: h\r\n\r\n", row.status, row.reason);
  }
}

TEST(RequestParser, Targets) {
  const struct {
    const char* target;
    const char* means;
  } rows[] = {
      {"/a/b.html", "/a/b.html @h"},
      {"//x/a", "//x/a @h"},
      {"/a//b/../c", "/a//b/../c @h"},
      {"/azAZ09-._~!$&'()*+,;=:@%20%2f%C3%a9", "/azAZ09-._~!$&'()*+,;=:@%20%2f%C3%a9 @h"},
      {"/a?", "/a ? @h"},
      {"/a?b=c&d=%26/?x:@", "/a ?b=c&d=%26/?x:@ @h"},
      {"/a#f", "/a #f @h"},
      {"/a?q#f?/%20", "/a ?q #f?/%20 @h"},
      {"/#", "/ # @h"},
      {"http://a.b/c?d", "/c ?d @a.b"},
      {"HtTpS://A.b:8080/c", "/c @A.b:8080"},
      {"http://a.b", "/ @a.b"},
      {"http://a.b?q", "/ ?q @a.b"},
      {"http://a.b:80#f", "/ #f @a.b:80"},
      {"http://[::1]:81/", "/ @[::1]:81"},
  };
  for (const auto& row : rows) {
    // The authority of an absolute target takes the place of what Host says (RFC 9112 3.2.2).
    const std::string means = row.means;
    expect_head(get(row.target),
                "GET " + means + " HTTP/1.1 keep | Host=" + means.substr(means.rfind('@') + 1));
  }
  expect_head("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * @h HTTP/1.1 keep | Host=h");
}

TEST(RequestParser, BadTargets) {
  const struct {
    const char* target;
    const char* reason;
  } rows[] = {
      {"/%", "without two hexadecimal"},       {"/%2", "without two hexadecimal"},
      {"/%2g", "without two hexadecimal"},     {"/%g2", "without two hexadecimal"},
      {"/a?%zz", "without two hexadecimal"},   {"/a#%1", "without two hexadecimal"},
      {"/a#b#c", "not allowed in the target"}, {"/\xc3\xa9", "not allowed in the target"},
      {"/a\x7f", "not allowed in the target"}, {"/a\tb", "not allowed in the target"},
      {"/a\rb", "not allowed in the target"},  {"*", "other than OPTIONS"},
      {"a/b", "neither a path nor"},           {"?a", "neither a path nor"},
      {"h:80", "neither a path nor"},          {"ftp://a/b", "neither a path nor"},
      {"http:/a/b", "neither a path nor"},     {"http://", "bad host or port"},
      {"http:///a", "bad host or port"},       {"http://:80/a", "bad host or port"},
      {"http://user@a/b", "bad host or port"}, {"http://a:b/c", "bad host or port"},
      {"http://a:65536/", "bad host or port"}, {"http://[::1/", "bad host or port"},
  };
  for (const auto& row : rows) expect_refused(get(row.target), 400, row.reason);
  expect_refused("OPTIONS *x HTTP/1.1\r\nHost: h\r\n\r\n", 400, "neither a path nor");
}

// Every character there is, in each part of a target: RFC 3986 allows some, the URL Standard has
// browsers leave some more as they are, request.relaxed adds two, and nothing else passes.
TEST(RequestParser, CharactersOfTargets) {
  const std::string_view unreserved =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  const std::string in_path = std::string(unreserved) + "!$&'()*+,;=:@/" + "[]|^";
  const std::string in_query = in_path + "?" + "{}`\\";
  ParserLimits relaxed;
  relaxed.relaxed = true;
  const auto parses = [](const std::string& target, const ParserLimits& limits) {
    return parse_all_ways(get(target), limits).state == ParseState::kComplete;
  };
  for (int code = 0; code < 256; ++code) {
    const char c = static_cast<char>(code);
    // These end the part they stand in, or begin an escape.
    if (c == '%' || c == '#') continue;
    const std::string inside = std::string("a") + c + "b";
    const bool path = c == '?' || in_path.find(c) != std::string::npos;
    const bool query = in_query.find(c) != std::string::npos;
    const bool braces = c == '{' || c == '}';
    EXPECT_EQ(parses("/" + inside, {}), path) << code;
    EXPECT_EQ(parses("/" + inside, relaxed), path || braces) << code;
    for (const char* before : {"/?", "/#", "http://h/?"}) {
      EXPECT_EQ(parses(before + inside, {}), query) << before << code;
      EXPECT_EQ(parses(before + inside, relaxed), query) << before << code;
    }
  }
  expect_head(get("/a[1]|^.txt?ids[]=1&f=A|B^{`\\}"),
              "GET /a[1]|^.txt ?ids[]=1&f=A|B^{`\\} @h HTTP/1.1 keep | Host=h");
  expect_head(get("/{a}?{b}#{c}"), "GET /{a} ?{b} #{c} @h HTTP/1.1 keep | Host=h", relaxed);
  for (const char* target : {"/{a}", "/a`b", "/a\\b", "/a\"b", "/<script>", "/?a=\"b\"", "/?<b>"}) {
    expect_refused(get(target), 400, "not allowed in the target");
  }
}

TEST(RequestParser, LineEnds) {
  const char* reason = "LF without CR";
  expect_refused("GET / HTTP/1.1\nHost: h\r\n\r\n", 400, reason);
  expect_refused("GET / HTTP/1.1\r\nHost: h\n\r\n", 400, reason);
  expect_refused("GET / HTTP/1.1\r\nHost: h\r\n\n", 400, reason);
  expect_refused("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, reason);
  expect_head("\r\nGET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0 close");
  expect_head("\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0 close");
  expect_refused("\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", 400, "too many blank lines");
}

TEST(RequestParser, HeadSizeLimit) {
  ParserLimits limits;
  limits.head_bytes = 100;
  const auto request = [](size_t size) {
    std::string head = with("A: \r\n");
    return head.insert(head.size() - 4, size - head.size(), 'a');
  };
  EXPECT_EQ(parse_all_ways(request(100), limits).state, ParseState::kComplete);
  EXPECT_EQ(parse_all_ways(request(100) + "more", limits).state, ParseState::kComplete);
  expect_refused(request(101), 431, "longer than limits.buffer_size", limits);
  // Refused as soon as it cannot fit: a buffer of the limit's size is never full without a verdict.
  expect_refused(request(300).substr(0, 100), 431, "longer than limits.buffer_size", limits);
  EXPECT_EQ(parse_all_ways(request(300).substr(0, 99), limits).state, ParseState::kIncomplete);
  expect_refused("GET /" + std::string(200, 'a'), 414, "request line longer", limits);
  expect_refused(get("/" + std::string(200, 'a')), 414, "request line longer", limits);
  // A fault beyond the limit makes no difference.
  expect_refused(with("A: " + std::string(60, 'a') + "\r\nBad Field\r\n"), 431, "longer", limits);
}

TEST(RequestParser, FieldCountLimit) {
  ParserLimits limits;
  limits.header_count = 3;
  expect_head(with("A: 1\r\nB: 2\r\n"), "POST / @h HTTP/1.1 keep | Host=h | A=1 | B=2", limits);
  expect_refused(with("A: 1\r\nB: 2\r\nC: 3\r\n"), 431, "limits.header_count", limits);
}

TEST(RequestParser, PathLimit) {
  ParserLimits limits;
  limits.path_bytes = 8;
  expect_head(get("/2345678?long-query"), "GET /2345678 ?long-query @h HTTP/1.1 keep | Host=h",
              limits);
  expect_refused(get("/23456789"), 414, "limits.url_path", limits);
}

TEST(RequestParser, EveryPrefixOfAGoodRequestIsIncomplete) {
  const std::string request = get("/a?b#c");
  for (size_t size = 0; size < request.size(); ++size) {
    const Outcome outcome = parse(std::string_view(request).substr(0, size), {}, 1000);
    EXPECT_EQ(outcome.state, ParseState::kIncomplete) << size;
  }
}

TEST(RequestParser, SaysWhichByteIsBad) {
  const struct {
    std::string input;
    size_t at;
  } rows[] = {
      {"GET /a%zz HTTP/1.1\r\n\r\n", 6},
      {"GET /a{b HTTP/1.1\r\n\r\n", 6},
      {"GET / HTTP/2.0\r\n\r\n", 6},
      {"G@T / HTTP/1.1\r\n\r\n", 1},
      {"GET / HTTP/1.1\r\nA : b\r\n\r\n", 17},
      {"GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", 20},
      {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 32},
      {"GET / HTTP/1.1\n", 14},
      {"GET / HTTP/1.1\r\n\r\n", 16},
  };
  for (const auto& row : rows) {
    const Outcome outcome = parse_all_ways(row.input, {});
    EXPECT_EQ(outcome.state, ParseState::kRefused) << row.input;
    EXPECT_EQ(outcome.position, row.at) << row.input;
  }
}

TEST(RequestParser, ResetForgetsTheRequestBefore) {
  ParserLimits limits;
  RequestParser parser(limits);
  RequestHead head;
  const std::string first =
      "POST http://a/x?y#z HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
      "Connection: close, upgrade\r\nUpgrade: x\r\n\r\n";
  const std::string second = "GET / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";
  ASSERT_EQ(parser.parse(first, head), ParseState::kComplete);
  parser.reset();
  ASSERT_EQ(parser.parse(second, head), ParseState::kComplete) << parser.reason();
  EXPECT_EQ(describe(head, second.data()),
            "GET / @b HTTP/1.1 keep chunked | Host=b | Transfer-Encoding=chunked");
  parser.reset();
  ASSERT_EQ(parser.parse("BAD\r\n", head), ParseState::kRefused);
  EXPECT_EQ(parser.parse("BAD\r\nGET", head), ParseState::kRefused);  // and stays so
  limits.header_count = 1;
  parser.reset(limits);
  EXPECT_EQ(parser.parse(second, head), ParseState::kRefused);
  EXPECT_EQ(parser.status(), 431);
}

TEST(RequestHead, FindsTheFirstFieldOfAName) {
  RequestParser parser({});
  RequestHead head;
  const std::string request = with("X-A: 1\r\nx-a: 2\r\nX: 3\r\n");
  ASSERT_EQ(parser.parse(request, head), ParseState::kComplete);
  ASSERT_NE(head.find(request.data(), "x-a"), nullptr);
  EXPECT_EQ(head.find(request.data(), "x-a")->value.in(request.data()), "1");
  EXPECT_EQ(head.find(request.data(), "x-b"), nullptr);
  const size_t capacity = head.fields.capacity();
  head.clear();
  EXPECT_EQ(head.find(request.data(), "x-a"), nullptr);
  EXPECT_EQ(head.fields.capacity(), capacity);
  EXPECT_TRUE(head.path.empty());
  EXPECT_FALSE(head.has_host);
}

}  // namespace
}  // namespace m2
