// Goal: of an unknown id a handler hears once a second at most, however many there are.
#include "worker/target/unknown_ids.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(UnknownIds, OnceASecond) {
  UnknownIds ids;
  int told = 0;
  for (int tenth = 1; tenth <= 100; ++tenth) told += ids.insert(7, 1000 + tenth / 10.0);
  EXPECT_GE(told, 5);
  EXPECT_LE(told, 11);
  EXPECT_TRUE(ids.insert(8, 1010.1));
  EXPECT_TRUE(ids.insert(7, 1020));
  EXPECT_FALSE(ids.insert(7, 1020.9));
}

TEST(UnknownIds, IsBounded) {
  UnknownIds ids;
  for (ConnectionId id = 1; id <= UnknownIds::kIdsMax; ++id) EXPECT_TRUE(ids.insert(id, 5.0));
  EXPECT_FALSE(ids.insert(UnknownIds::kIdsMax + 1, 5.5));
  EXPECT_TRUE(ids.insert(UnknownIds::kIdsMax + 1, 6.1));
}

}  // namespace
}  // namespace m2
