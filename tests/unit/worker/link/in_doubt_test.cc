// Goal: after the end of a relay exactly those are in doubt whose messages it had and did not pass
// on, each once.
#include "worker/link/in_doubt.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

using Ids = std::vector<ConnectionId>;

Ids left(InDoubt& in_doubt) {
  Ids ids;
  in_doubt.move_to(ids);
  return ids;
}

TEST(InDoubt, ForgetsWhatWasPassedOn) {
  InDoubt in_doubt;
  for (const uint64_t number : {1, 2, 4}) in_doubt.add(number, number * 10);
  in_doubt.passed(2);
  EXPECT_EQ(left(in_doubt), Ids{40});
  EXPECT_EQ(left(in_doubt), Ids{});
}

TEST(InDoubt, LeavesToTheLedgerWhatItKnows) {
  InDoubt in_doubt;
  in_doubt.is_owed(1);
  in_doubt.add(1, 10);
  in_doubt.add(2, 20);
  in_doubt.is_owed(2);
  in_doubt.is_owed(2);
  EXPECT_EQ(left(in_doubt), Ids{10});
}

TEST(InDoubt, NamesEachConnectionOnce) {
  InDoubt in_doubt;
  for (uint64_t number = 1; number <= 6; ++number) in_doubt.add(number, 10 - number % 2);
  Ids ids{9, 1};
  in_doubt.move_to(ids);
  EXPECT_EQ(ids, (Ids{1, 9, 10}));
}

}  // namespace
}  // namespace m2
