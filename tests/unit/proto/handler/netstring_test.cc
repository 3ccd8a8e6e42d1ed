// Goal: the bytes of netstrings and tnetstrings, at the edges of their numbers.
#include "proto/handler/netstring.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(Netstring, Decimal) {
  std::string out = "n=";
  append_decimal(out, 0);
  out += ' ';
  append_decimal(out, UINT64_MAX);
  EXPECT_EQ(out, "n=0 18446744073709551615");
}

TEST(Netstring, StringsAndTags) {
  std::string out;
  append_netstring(out, "HI");
  append_netstring(out, "");
  append_netstring(out, "1:a,1:b,", ']');
  append_netstring(out, std::string(100, 'x'), '}');
  EXPECT_EQ(out, "2:HI,0:,8:1:a,1:b,]100:" + std::string(100, 'x') + "}");
}

TEST(Netstring, Numbers) {
  std::string out;
  append_tnet_number(out, 200);
  append_tnet_number(out, 0);
  append_tnet_number(out, -7);
  append_tnet_number(out, INT64_MIN);
  EXPECT_EQ(out, "3:200#1:0#2:-7#20:-9223372036854775808#");
}

}  // namespace
}  // namespace m2
