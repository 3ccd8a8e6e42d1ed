// Goal: conditions are weighed as RFC 9110 13 says, in its order. Method: tables against one file.
#include "proto/http/conditions.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string_view>

namespace m2 {

void PrintTo(Condition condition, std::ostream* out) { *out << static_cast<int>(condition); }

namespace {

constexpr std::string_view kEtag = "\"6b0287ba-d\"";
constexpr std::time_t kModified = 784111777;
constexpr const char* kSame = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* kLater = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr Condition kGo = Condition::kProceed;
constexpr Condition k304 = Condition::kNotModified;
constexpr Condition k412 = Condition::kPreconditionFailed;

Condition evaluate(const ConditionFields& fields) {
  return evaluate_conditions(fields, kEtag, kModified);
}
std::string_view optional(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

TEST(Conditions, NoneMeansProceed) { EXPECT_EQ(evaluate({}), kGo); }

TEST(Conditions, EntityTags) {
  const struct {
    const char* list;
    Condition if_match;
    Condition if_none_match;
  } rows[] = {
      {"\"6b0287ba-d\"", kGo, k304},
      {"W/\"6b0287ba-d\"", k412, k304},  // weak: good enough for a cache alone
      {"*", kGo, k304},
      {" * ", kGo, k304},
      {"6b0287ba-d", kGo, k304},  // without quotes: what Mongrel2 1.x sent
      {"W/6b0287ba-d", k412, k304},
      {"\"x\", \"6b0287ba-d\"", kGo, k304},
      {"\"x\",,\t\"y\" ,W/\"z\",\"6b0287ba-d\",\"q\"", kGo, k304},
      {"\"x\", 6b0287ba-d", kGo, k304},
      {"\"a,b\", \"6b0287ba-d\"", kGo, k304},
      {"\"a,6b0287ba-d,b\"", k412, kGo},  // inside another tag
      {"\"6b0287ba-e\"", k412, kGo},
      {"\"6B0287BA-D\"", k412, kGo},
      {"w/\"6b0287ba-d\"", k412, kGo},
      {"\"6b0287ba-d", k412, kGo},
      {"6b0287ba-d\"", k412, kGo},
      {"\"6b0287ba-d\"x", k412, kGo},
      {"\"\"", k412, kGo},
      {"\"x\", *", k412, kGo},
      {"W/", k412, kGo},
      {",", k412, kGo},
      {"", k412, kGo},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(evaluate({.if_match = row.list,
                        .if_none_match = {},
                        .if_modified_since = {},
                        .if_unmodified_since = {}}),
              row.if_match)
        << row.list;
    EXPECT_EQ(evaluate({.if_match = {},
                        .if_none_match = row.list,
                        .if_modified_since = {},
                        .if_unmodified_since = {}}),
              row.if_none_match)
        << row.list;
  }
}

TEST(Conditions, Dates) {
  const struct {
    const char* date;
    Condition if_modified_since;
    Condition if_unmodified_since;
  } rows[] = {
      {kSame, k304, kGo},
      {kEarlier, kGo, k412},
      {kLater, k304, kGo},
      {"Sunday, 06-Nov-94 08:49:37 GMT", k304, kGo},
      {"Sun Nov  6 08:49:36 1994", kGo, k412},
      {"yesterday", kGo, kGo},
      {"", kGo, kGo},
      {"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", kGo, kGo},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(evaluate({{}, {}, row.date, {}}), row.if_modified_since) << row.date;
    EXPECT_EQ(evaluate({{}, {}, {}, row.date}), row.if_unmodified_since) << row.date;
  }
}

TEST(Conditions, Precedence) {
  const char* same = "\"6b0287ba-d\"";
  const char* other = "\"other\"";
  const struct {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
    Condition result;
  } rows[] = {
      // If-Match makes If-Unmodified-Since void, whichever way it goes.
      {same, nullptr, nullptr, kEarlier, kGo},
      {other, nullptr, nullptr, kLater, k412},
      // If-None-Match makes If-Modified-Since void.
      {nullptr, other, kLater, nullptr, kGo},
      {nullptr, same, kEarlier, nullptr, k304},
      {nullptr, "", kLater, nullptr, kGo},
      // 412 goes before 304.
      {other, same, nullptr, nullptr, k412},
      {nullptr, same, nullptr, kEarlier, k412},
      // A first condition that holds leaves the second to decide.
      {same, same, nullptr, nullptr, k304},
      {same, nullptr, kSame, nullptr, k304},
      {nullptr, other, nullptr, kSame, kGo},
      {nullptr, nullptr, kSame, kSame, k304},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(evaluate({optional(row.if_match), optional(row.if_none_match),
                        optional(row.if_modified_since), optional(row.if_unmodified_since)}),
              row.result)
        << &row - rows;
  }
}

// Goal: ranges count only for the state of the file that the client has. Method: tags and dates.
TEST(Conditions, IfRange) {
  const auto holds = [](const char* value, std::time_t now) {
    return if_range_holds(value, kEtag, kModified, now);
  };
  const std::time_t later = kModified + 1;
  EXPECT_TRUE(holds("\"6b0287ba-d\"", later));
  EXPECT_TRUE(holds(" \"6b0287ba-d\" ", later));
  EXPECT_TRUE(holds(kSame, later));
  EXPECT_TRUE(holds("Sunday, 06-Nov-94 08:49:37 GMT", later));
  for (const char* value : {"W/\"6b0287ba-d\"", "\"6b0287ba-e\"", "6b0287ba-d", "*", "",
                            "\"x\", \"6b0287ba-d\"", kEarlier, kLater, "yesterday"}) {
    EXPECT_FALSE(holds(value, later)) << value;
  }
  EXPECT_FALSE(holds(kSame, kModified));  // the second is not over: it may change again in it
}

}  // namespace
}  // namespace m2
