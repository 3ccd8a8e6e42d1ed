// Goal: deaths in words, delays that grow for early ones only, numbers that never come back.
#include "master/reap.h"

#include <gtest/gtest.h>

#include <csignal>

namespace m2 {
namespace {

TEST(ExitReason, InWords) {
  EXPECT_EQ(exit_reason(0), "exited with status 0");
  EXPECT_EQ(exit_reason(3 << 8), "exited with status 3");
  EXPECT_EQ(exit_reason(SIGKILL), "killed by signal 9 (Killed)");
  EXPECT_EQ(exit_reason(SIGABRT | 0x80), "killed by signal 6 (Aborted), core dumped");
}

TEST(RestartDelay, AtOnceForOneThatServed) {
  RestartDelay delay;
  EXPECT_EQ(delay.next_ms(60), 0u);
  EXPECT_EQ(delay.next_ms(1.0), 0u);
}

TEST(RestartDelay, GrowsForEarlyDeathsUpToALimit) {
  RestartDelay delay;
  const unsigned expected[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
  for (const unsigned ms : expected) EXPECT_EQ(delay.next_ms(0), ms);
  EXPECT_EQ(delay.next_ms(5), 0u);  // all is well again
  EXPECT_EQ(delay.next_ms(0.2), 100u);
}

TEST(Incarnations, FollowTheClockAndNeverRepeat) {
  constexpr uint64_t k2020 = 1'577'836'800'000;
  Incarnations incarnations;
  EXPECT_EQ(incarnations.next(k2020 + 5000), 5000u);
  EXPECT_EQ(incarnations.next(k2020 + 5001), 6000u);  // born in the same second
  EXPECT_EQ(incarnations.next(k2020 + 4000), 7000u);  // the clock went back
  EXPECT_EQ(incarnations.next(k2020 + 90000), 90000u);
  EXPECT_EQ(incarnations.next(0), 91000u);  // no clock at all
}

}  // namespace
}  // namespace m2
