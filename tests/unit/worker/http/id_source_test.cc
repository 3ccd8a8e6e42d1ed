// Goal: no id is given twice while it may still mean somebody else. Method: short ids over several
// rounds of their 25 bits, with a clock of our own.
#include "worker/http/id_source.h"

#include <gtest/gtest.h>

#include <set>

namespace m2 {
namespace {

constexpr double kNow = 1'800'000'000.00005;  // between two ticks
constexpr double kRoundS = static_cast<double>(1u << kShortSequenceBits) / 10'000.0;
const ConnectionId kFirst = first_connection_id(3, tick_at(kNow) / kTicksOfMs);
Connection* const kSomebody = reinterpret_cast<Connection*>(8);

TEST(IdSource, LongOnesGrow) {
  IdSource ids(kFirst);
  ConnectionTable table;
  EXPECT_EQ(ids.next(kNow, table), kFirst);
  EXPECT_EQ(ids.next(kNow + 100, table), kFirst + 1);
}

// Many within one tick get numbers in a row, and time that passes is passed over: so the worker
// that comes next, even after a crash, begins behind all of them.
TEST(IdSource, ShortOnesFollowTheClock) {
  IdSource ids(kFirst);
  ids.set_short(true);
  ConnectionTable table;
  std::set<ConnectionId> seen;
  for (int count = 0; count < 1000; ++count) seen.insert(ids.next(kNow, table));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_EQ(ids.next(kNow + 60, table), short_connection_id(3, tick_at(kNow + 60)));
  IdSource next(first_connection_id(3, tick_at(kNow + 61) / kTicksOfMs));
  next.set_short(true);
  EXPECT_EQ(seen.count(next.next(kNow + 61, table)), 0u);
  EXPECT_FALSE(next.may_have_given(*seen.begin(), kNow + 61));
  EXPECT_TRUE(ids.may_have_given(*seen.begin(), kNow + 61));
}

// A connection that outlives a round keeps its id to itself, and so does one that has just ended.
TEST(IdSource, PassesOverWhoIsThere) {
  IdSource ids(kFirst);
  ids.set_short(true);
  ConnectionTable table;
  const ConnectionId old = ids.next(kNow, table);
  table.insert(old, kSomebody);
  EXPECT_EQ(ids.next(kNow + kRoundS, table), old + 1);
  table.erase(old);
  ids.ended(old, kNow + 2 * kRoundS - 100);
  EXPECT_EQ(ids.next(kNow + 2 * kRoundS, table), old + 1);
  EXPECT_EQ(ids.next(kNow + 3 * kRoundS, table), old);
}

// 0 is nobody's.
TEST(IdSource, NeverZero) {
  const uint64_t round = 1u << kShortSequenceBits;
  const uint64_t zero = (tick_at(kNow) / round + 1) * round;
  IdSource ids(first_connection_id(0, zero / kTicksOfMs));
  ids.set_short(true);
  ConnectionTable table;
  const double at = kNow + static_cast<double>(zero - tick_at(kNow)) / 10'000.0;
  for (int count = 0; count < 100; ++count) EXPECT_NE(ids.next(at, table), 0u);
}

// A reload may change the kind at any time.
TEST(IdSource, ChangesItsMind) {
  IdSource ids(kFirst);
  ConnectionTable table;
  EXPECT_FALSE(is_short(ids.next(kNow, table)));
  ids.set_short(true);
  EXPECT_TRUE(is_short(ids.next(kNow, table)));
  ids.set_short(false);
  EXPECT_EQ(ids.next(kNow, table), kFirst + 1);
}

}  // namespace
}  // namespace m2
