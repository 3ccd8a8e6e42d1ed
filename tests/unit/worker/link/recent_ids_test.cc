// Goal: an id is remembered for a while and then forgotten, within bounded memory. Method: a clock
// of our own.
#include "worker/link/recent_ids.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

constexpr double kTime = RecentIds::kRememberS;

TEST(RecentIdsTest, RemembersForAWhileAndForgets) {
  RecentIds ids(100);
  double now = 1e9;
  EXPECT_FALSE(ids.contains(5, now));
  EXPECT_TRUE(ids.insert(5, now));
  EXPECT_FALSE(ids.insert(5, now + 1));
  EXPECT_TRUE(ids.contains(5, now + kTime - 1));
  EXPECT_TRUE(ids.insert(6, now + kTime - 1));
  EXPECT_TRUE(ids.contains(6, now + 2 * kTime - 2));
  EXPECT_FALSE(ids.contains(6, now + 4 * kTime));
  EXPECT_FALSE(ids.contains(5, now + 4 * kTime));
  EXPECT_EQ(ids.size(), 0u);
}

TEST(RecentIdsTest, TakesBackWhatWasNotTold) {
  RecentIds ids(100);
  EXPECT_TRUE(ids.insert(5, 1e9));
  ids.erase(5);
  EXPECT_TRUE(ids.insert(5, 1e9));
}

TEST(RecentIdsTest, HasABoundAndKeepsTheNewest) {
  RecentIds ids(100);
  for (ConnectionId id = 1; id <= 10'000; ++id) {
    EXPECT_TRUE(ids.insert(id, 1e9));
    ASSERT_LE(ids.size(), 200u);
    for (ConnectionId last = id > 100 ? id - 99 : 1; last <= id; last += 9) {
      ASSERT_TRUE(ids.contains(last, 1e9)) << last << " of " << id;
    }
  }
}

}  // namespace
}  // namespace m2
