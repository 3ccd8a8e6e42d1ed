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
