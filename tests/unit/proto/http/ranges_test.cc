// Goal: every Range value means what RFC 9110 14 says, or is ignored where that is allowed. Method:
// a table against a file of 10 bytes, then what only other sizes show.
#include "proto/http/ranges.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

// "0-4,6-9"; "whole"; "none".
std::string ranges_of(std::string_view value, uint64_t size) {
  const Ranges ranges = parse_ranges(value, size);
  if (ranges.verdict == RangeVerdict::kWhole) return "whole";
  if (ranges.verdict == RangeVerdict::kUnsatisfiable) return "none";
  std::string text;
  for (const ByteRange& range : ranges.list) {
    EXPECT_LE(range.first, range.last);
    EXPECT_LT(range.last, size);
    if (!text.empty()) text += ',';
    text += std::to_string(range.first) + "-" + std::to_string(range.last);
  }
  return text;
}

TEST(Ranges, OfTenBytes) {
  const struct {
    const char* value;
    const char* expected;
  } rows[] = {
      {"bytes=0-0", "0-0"},
      {"bytes=0-4", "0-4"},
      {"bytes=5-", "5-9"},
      {"bytes=0-", "0-9"},
      {"bytes=-3", "7-9"},
      {"bytes=-10", "0-9"},
      {"bytes=-11", "0-9"},
      {"bytes=3-100", "3-9"},
      {"BYTES=0-4", "0-4"},
      {"bytes=00-004", "0-4"},
      {"bytes=0-0,2-2,-1", "0-0,2-2,9-9"},
      {"bytes=0-1 ,\t3-4", "0-1,3-4"},
      {"bytes=,,0-1,,3-4,", "0-1,3-4"},
      {"bytes=7-8,0-1", "7-8,0-1"},  // the order is the client's
      {"bytes=0-99999999999999999999999", "0-9"},
      {"bytes=-99999999999999999999999", "0-9"},
      {"bytes=0-1,20-30", "0-1"},  // what lies behind the end is dropped
      {"bytes=10-", "none"},
      {"bytes=10-20,30-", "none"},
      {"bytes=99999999999999999999999-", "none"},
      {"bytes=-0", "none"},
      {"bytes=-0,5-6", "5-6"},
      // Overlaps.
      {"bytes=0-4,4-5", "whole"},
      {"bytes=0-,0-,0-", "whole"},
      {"bytes=-1,9-9", "whole"},
      // Not well formed, or another unit.
      {"", "whole"},
      {"bytes", "whole"},
      {"bytes=", "whole"},
      {"bytes=,", "whole"},
      {"bytes=-", "whole"},
      {"bytes=4-3", "whole"},
      {"bytes=0-1,4-3", "whole"},
      {"bytes=20-10", "whole"},
      {"bytes= 0 - 1", "whole"},
      {"bytes =0-1", "whole"},
      {"bytes=0-1;2-3", "whole"},
      {"bytes=0x0-1", "whole"},
      {"bytes=+0-1", "whole"},
      {"bytes=--1", "whole"},
      {"bytes=0-1-2", "whole"},
      {"bytes=a-b", "whole"},
      {"items=0-1", "whole"},
      {"bytes=0-1, bytes=2-3", "whole"},  // the field came twice
  };
  for (const auto& row : rows) EXPECT_EQ(ranges_of(row.value, 10), row.expected) << row.value;
}

TEST(Ranges, OfNothing) {
  EXPECT_EQ(ranges_of("bytes=0-", 0), "none");
  EXPECT_EQ(ranges_of("bytes=0-0", 0), "none");
  // Satisfiable by the letter, but Content-Range cannot say it.
  EXPECT_EQ(ranges_of("bytes=-5", 0), "whole");
}

TEST(Ranges, OfLargeFiles) {
  const uint64_t size = 5'000'000'000'000;
  EXPECT_EQ(ranges_of("bytes=4999999999999-", size), "4999999999999-4999999999999");
  EXPECT_EQ(ranges_of("bytes=-1", size), "4999999999999-4999999999999");
}

TEST(Ranges, AreBoundedInNumber) {
  std::string value = "bytes=0-0";
  for (size_t i = 1; i < kRangesMax; ++i)
    value += "," + std::to_string(i * 2) + "-" + std::to_string(i * 2);
  EXPECT_EQ(parse_ranges(value, 1000).list.size(), kRangesMax);
  EXPECT_EQ(ranges_of(value + ",900-900", 1000), "whole");
  EXPECT_EQ(ranges_of(value + ",2000-", 1000), "whole");  // one behind the end counts too
}

}  // namespace
}  // namespace m2
