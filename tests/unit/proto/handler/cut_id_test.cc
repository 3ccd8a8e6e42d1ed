// Goal: what an int of 32 bits leaves of an id is told from every other wrong number.
#include "proto/handler/cut_id.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

constexpr ConnectionId kId = 0x1234'5678'9ABC'DEF;

TEST(CutId, KnowsWhatIsLeftOfAnId) {
  const uint32_t low = static_cast<uint32_t>(kId);
  EXPECT_TRUE(is_cut(std::to_string(low), kId));
  EXPECT_TRUE(is_cut(std::to_string(static_cast<int32_t>(low)), kId));
  EXPECT_TRUE(is_cut("2147483647", kId));  // strtol() into an int, and the like
  for (const uint32_t high : {0x8000'0000u, 0xFFFF'FFFEu}) {
    const ConnectionId id = (uint64_t{77} << 32) | high;
    EXPECT_TRUE(is_cut(std::to_string(static_cast<int32_t>(high)), id));
  }
}

TEST(CutId, KnowsNothingOfOtherNumbers) {
  const uint32_t low = static_cast<uint32_t>(kId);
  for (const std::string& text :
       {std::string(), std::string("-"), std::string("x"), std::to_string(kId),
        std::to_string(low + 1), std::to_string(low) + "x", " " + std::to_string(low),
        std::string("99999999999999999999")}) {
    EXPECT_FALSE(is_cut(text, kId)) << text;
  }
  EXPECT_FALSE(is_cut("17", 17));  // a short id is whole
  EXPECT_FALSE(fits_an_int(std::to_string(kId)));
  EXPECT_TRUE(fits_an_int("-17"));
}

}  // namespace
}  // namespace m2
