// Goal: a backend leaves the turn after failures in a row and comes back slowly. Method: time is a
// number.
#include "worker/target/backend_health.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace m2 {
namespace {

using State = BackendHealth::State;
constexpr HealthLimits kLimits{.eject_after = 3, .eject_ms = 100};

TEST(BackendHealth, OnlyFailuresInARowCount) {
  BackendHealth health;
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(health.failed(0, kLimits));
    EXPECT_FALSE(health.failed(0, kLimits));
    EXPECT_FALSE(health.succeeded());
  }
  EXPECT_EQ(health.state(0), State::kInTurn);
}

TEST(BackendHealth, PausesDoubleUpToTheMost) {
  BackendHealth health;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(health.failed(1000, kLimits));
  uint64_t now = 1000;
  uint64_t pause = 100;
  for (int i = 0; i < 12; ++i) {
    EXPECT_TRUE(health.failed(now, kLimits));
    EXPECT_EQ(health.pause_ms(), pause);
    EXPECT_EQ(health.state(now + pause - 1), State::kOut);
    EXPECT_EQ(health.state(now + pause), State::kTrialDue);
    now += pause;
    health.begin_trial(now);
    pause = std::min(pause * 2, BackendHealth::kPauseMaxMs);
  }
  EXPECT_EQ(health.out_since_ms(), 1000u);
  EXPECT_TRUE(health.succeeded());
  EXPECT_EQ(health.state(now), State::kInTurn);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(health.failed(now, kLimits));
  EXPECT_TRUE(health.failed(now, kLimits));
  EXPECT_EQ(health.pause_ms(), 100u);  // from the beginning again
}

TEST(BackendHealth, TrialIsOneRequestUntilItsVerdict) {
  BackendHealth health;
  for (int i = 0; i < 3; ++i) (void)health.failed(0, kLimits);
  EXPECT_EQ(health.state(100), State::kTrialDue);
  health.begin_trial(100);
  EXPECT_EQ(health.state(101), State::kOut);
  EXPECT_EQ(health.state(200), State::kTrialDue);  // its client may have left: another one
}

// Those that were under way when it failed tell nothing new.
TEST(BackendHealth, FailuresWithinAPauseDoNotLengthenIt) {
  BackendHealth health;
  for (int i = 0; i < 3; ++i) (void)health.failed(0, kLimits);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(health.failed(50, kLimits));
  EXPECT_EQ(health.pause_ms(), 100u);
  EXPECT_EQ(health.state(100), State::kTrialDue);
}

}  // namespace
}  // namespace m2
