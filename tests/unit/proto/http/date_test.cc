// Goal: dates are written exactly, and the three forms of the RFC are read and no other. Method:
// known moments, a walk over many days against the C library, tables of bad dates.
#include "proto/http/date.h"

#include <gtest/gtest.h>

#include <ctime>
#include <limits>
#include <string>

namespace m2 {
namespace {

std::string written(std::time_t when) {
  // One byte more, to see that it stays.
  std::string out(kHttpDateBytes + 1, '#');
  write_http_date(when, out.data());
  EXPECT_EQ(out.back(), '#');
  out.pop_back();
  return out;
}

TEST(Date, Writes) {
  EXPECT_EQ(written(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(written(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(written(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(written(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(written(4102444799), "Thu, 31 Dec 2099 23:59:59 GMT");
}

TEST(Date, TimesWithoutAFourDigitYearBecomeTheNearest) {
  EXPECT_EQ(written(253402300800), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(written(std::numeric_limits<std::time_t>::max()), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(written(std::numeric_limits<std::time_t>::min()), "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(Date, AgreesWithTheCalendarOfTheSystem) {
  for (std::time_t when = 0; when < 8'000'000'000; when += 86400 * 13 + 3607) {
    std::tm parts;
    ASSERT_NE(gmtime_r(&when, &parts), nullptr);
    char expected[64];
    ASSERT_EQ(std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts),
              kHttpDateBytes);
    ASSERT_EQ(written(when), expected);
    ASSERT_EQ(parse_http_date(expected), when) << expected;
  }
}

TEST(Date, ReadsAllThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(parse_http_date("Wed Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
  EXPECT_EQ(parse_http_date("Wednesday, 01-Jan-69 00:00:00 GMT"), 3124224000);  // 2069
  EXPECT_EQ(parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT"), 0);
  EXPECT_EQ(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);  // a leap second
  EXPECT_EQ(parse_http_date("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
}

TEST(Date, ReadsNothingElse) {
  for (const char* bad : {"",
                          "Sun",
                          "Sun,",
                          "Sun ",
                          "0",
                          "784111777",
                          "Sun, 06 Nov 1994 08:49:37",
                          "Sun, 06 Nov 1994 08:49:37 GMT ",
                          " Sun, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 08:49:37 UTC",
                          "Sun, 06 Nov 1994 08:49:37 +0000",
                          "sun, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 nov 1994 08:49:37 GMT",
                          "Son, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Okt 1994 08:49:37 GMT",
                          "Sun, 6 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 94 08:49:37 GMT",
                          "Sun,06 Nov 1994 08:49:37 GMT",
                          "Sun, 06-Nov-1994 08:49:37 GMT",
                          "Sun, 00 Nov 1994 08:49:37 GMT",
                          "Sun, 31 Nov 1994 08:49:37 GMT",
                          "Wed, 29 Feb 1995 08:49:37 GMT",
                          "Sun, 06 Nov 1994 24:49:37 GMT",
                          "Sun, 06 Nov 1994 08:60:37 GMT",
                          "Sun, 06 Nov 1994 08:49:61 GMT",
                          "Sun, 06 Nov 1994 8:49:37 GMT",
                          "Sun, 06 Nov 1994 08.49.37 GMT",
                          "Sun, -6 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 08:49:37 GMT, x",
                          "Sunday, 06 Nov 1994 08:49:37 GMT",
                          "Sunday, 06-Nov-1994 08:49:37 GMT",
                          "Someday, 06-Nov-94 08:49:37 GMT",
                          "Sunday 06-Nov-94 08:49:37 GMT",
                          "Sunday",
                          "Sun Nov 6 08:49:37 1994",
                          "Sun Nov 06 08:49:37 94",
                          "Sun Nov  6 08:49:37 1994 GMT",
                          "Sun Nov   08:49:37 1994"}) {
    EXPECT_FALSE(parse_http_date(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace m2
