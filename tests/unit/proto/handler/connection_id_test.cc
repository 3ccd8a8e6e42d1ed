// Goal: an id carries its worker's slot, survives a double, and nothing but an id is read as one.
#include "proto/handler/connection_id.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

TEST(ConnectionId, CarriesTheSlot) {
  for (const unsigned slot : {0u, 1u, 63u}) {
    const ConnectionId first = first_connection_id(slot, 201'234'567'890);
    EXPECT_EQ(slot_of(first), slot);
    EXPECT_EQ(slot_of(first + 1'000'000), slot);
    EXPECT_LT(first, 1ull << 53);
  }
}

// A worker may have handed out 64 ids in each millisecond since its start without meeting its
// successor's.
TEST(ConnectionId, LaterIncarnationsBeginHigher) {
  EXPECT_EQ(first_connection_id(3, 1'001) - first_connection_id(3, 1'000), 64u);
}

// Short ids: positive numbers of 32 bits, apart from all long ones, with the slot inside.
TEST(ConnectionId, ShortOnes) {
  const double now = 1'800'000'000;
  for (const unsigned slot : {0u, 1u, 63u}) {
    for (const uint64_t tick : {tick_at(now), tick_at(now) | 0x1FFFFFF, uint64_t{1} << 25}) {
      const ConnectionId id = short_connection_id(slot, tick);
      EXPECT_LE(id, 0x7FFFFFFFu);
      EXPECT_EQ(slot_of(id), slot);
      EXPECT_TRUE(is_short(id));
    }
    EXPECT_FALSE(is_short(first_connection_id(slot, 33'554'432)));
  }
  EXPECT_EQ(tick_at(now + 1) - tick_at(now), 10'000u);
  EXPECT_EQ(tick_at(0), 0u);
}

// A worker that began ten minutes ago cannot have given out an id of twenty minutes ago, but one of
// a moment ago, and one of the near future, should it run ahead of the clock.
TEST(ConnectionId, ShortOnesOfEarlierWorkers) {
  constexpr uint64_t kMinute = 60 * 10'000;
  const uint64_t now = 20'000'000'000'005;
  const ConnectionId first = first_connection_id(5, (now - 10 * kMinute) / 10);
  EXPECT_FALSE(may_have_given(first, short_connection_id(5, now - 20 * kMinute), now));
  EXPECT_FALSE(may_have_given(first, short_connection_id(5, now - 40 * kMinute), now));
  EXPECT_TRUE(may_have_given(first, short_connection_id(5, now - 9 * kMinute), now));
  EXPECT_TRUE(may_have_given(first, short_connection_id(5, now), now));
  EXPECT_TRUE(may_have_given(first, short_connection_id(5, now + 10 * kMinute), now));
  EXPECT_FALSE(may_have_given(first, short_connection_id(4, now), now));
  EXPECT_FALSE(may_have_given(first, 0, now));
  EXPECT_TRUE(may_have_given(first, first + 1, now));
  EXPECT_FALSE(may_have_given(first, first - 1, now));
}

TEST(ConnectionId, Parse) {
  EXPECT_EQ(parse_connection_id("1"), 1u);
  EXPECT_EQ(parse_connection_id("1234567890"), 1'234'567'890u);
  EXPECT_EQ(parse_connection_id("9007199254740991"), (1ull << 53) - 1);
  for (const char* text :
       {"", "0", "01", "-1", "+1", " 1", "1 ", "1x", "x", "0x10", "1.0", "9007199254740992",
        "9999999999999999", "10000000000000000", "18446744073709551617"}) {
    EXPECT_EQ(parse_connection_id(text), 0u) << text;
  }
  const ConnectionId id = first_connection_id(63, UINT64_MAX) + 63;
  EXPECT_EQ(parse_connection_id(std::to_string(id)), id);
}

}  // namespace
}  // namespace m2
