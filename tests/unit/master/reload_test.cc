// Goal: the handshake decides right in every order of events, above all the ugly ones.
// Method: events in, the actions that come out compared as text: "prepare 1 g2, prepare 2 g2".
#include "master/reload.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

using Kind = Reload::Action::Kind;

std::string text_of(const Reload::Action& action) {
  const std::string to = " " + std::to_string(action.child);
  const std::string generation = " g" + std::to_string(action.generation);
  switch (action.kind) {
    case Kind::kRead:
      return "read";
    case Kind::kOpen:
      return "open" + generation;
    case Kind::kPrepare:
      return "prepare" + to + generation;
    case Kind::kCommit:
      return "commit" + to + generation;
    case Kind::kAbort:
      return "abort" + to + generation;
    case Kind::kKill:
      return "kill" + to + " (" + action.text + ")";
    case Kind::kAdopt:
      return "adopt" + generation;
    case Kind::kDiscard:
      return "discard" + generation;
    case Kind::kServes:
      return "serves" + generation;
    case Kind::kRefused:
      return "refused" + generation + " (" + action.text + ")";
  }
  return "?";
}

std::string text(const Reload::Actions& actions) {
  std::string all;
  for (const Reload::Action& action : actions) {
    if (!all.empty()) all += ", ";
    all += text_of(action);
  }
  return all;
}

// Every test begins with children 1 and 2 on generation 1 unless it says otherwise.
class ReloadTest : public testing::Test {
 protected:
  void first_generation() {
    ASSERT_EQ(text(reload_.request()), "read");
    ASSERT_EQ(text(reload_.plan_accepted()), "open g1");
    ASSERT_EQ(text(reload_.child_born(1, "relay")), "");
    ASSERT_EQ(text(reload_.child_born(2, "worker 0")), "");
    ASSERT_EQ(text(reload_.opened({1, 2})), "prepare 1 g1, prepare 2 g1");
    ASSERT_EQ(text(reload_.child_ready(1, 1)), "");
    ASSERT_EQ(text(reload_.child_ready(2, 1)), "commit 1 g1, commit 2 g1, adopt g1");
    ASSERT_EQ(text(reload_.child_swapped(2, 1)), "");
    ASSERT_EQ(text(reload_.child_swapped(1, 1)), "serves g1");
  }
  void begin_second() {
    ASSERT_EQ(text(reload_.request()), "read");
    ASSERT_EQ(text(reload_.plan_accepted()), "open g2");
    ASSERT_EQ(text(reload_.opened({1, 2})), "prepare 1 g2, prepare 2 g2");
  }
  void commit_second() {
    begin_second();
    ASSERT_EQ(text(reload_.child_ready(1, 2)), "");
    ASSERT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
  }
  Reload reload_;
};

TEST_F(ReloadTest, FirstGenerationAndASecondOne) {
  first_generation();
  EXPECT_EQ(reload_.current(), 1u);
  EXPECT_FALSE(reload_.busy());
  commit_second();
  EXPECT_EQ(reload_.current(), 2u);
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_swapped(2, 2)), "serves g2");
  EXPECT_FALSE(reload_.busy());
}

TEST_F(ReloadTest, ReaderSaysNo) {
  first_generation();
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_refused("no such table: server")),
            "refused g1 (no such table: server)");
  EXPECT_FALSE(reload_.busy());
}

TEST_F(ReloadTest, ReaderSaysNoAtTheFirstStart) {
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_refused("empty")), "refused g0 (empty)");
}

TEST_F(ReloadTest, PortCannotBeOpened) {
  first_generation();
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.open_failed("in use")), "discard g2, refused g1 (in use)");
  EXPECT_EQ(reload_.current(), 1u);
}

TEST_F(ReloadTest, OneChildRefuses) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_failed(2, 2, "no memory")),
            "abort 1 g2, abort 2 g2, discard g2, refused g1 (worker 0: no memory)");
  EXPECT_EQ(reload_.current(), 1u);
}

TEST_F(ReloadTest, TheFirstGenerationRefused) {
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g1");
  EXPECT_EQ(text(reload_.child_born(1, "relay")), "");
  EXPECT_EQ(text(reload_.opened({1})), "prepare 1 g1");
  EXPECT_EQ(text(reload_.child_failed(1, 1, "no")),
            "abort 1 g1, discard g1, refused g0 (relay: no)");
}

TEST_F(ReloadTest, AnAbortedNumberIsNeverUsedAgainAndLateAnswersMeanNothing) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_failed(1, 2, "no")),
            "abort 1 g2, abort 2 g2, discard g2, refused g1 (relay: no)");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "");  // crossed the ABORT
  EXPECT_EQ(text(reload_.child_failed(2, 2, "late")), "");
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g3");
  EXPECT_EQ(text(reload_.opened({1, 2})), "prepare 1 g3, prepare 2 g3");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(1, 3)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 3)), "commit 1 g3, commit 2 g3, adopt g3");
}

TEST_F(ReloadTest, DeathBeforeReady) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_gone(2, "killed by signal 9")),
            "abort 1 g2, discard g2, refused g1 (worker 0 killed by signal 9)");
}

TEST_F(ReloadTest, DeathBetweenReadyAndCommit) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "");
  EXPECT_EQ(text(reload_.child_gone(2, "died")),
            "abort 1 g2, discard g2, refused g1 (worker 0 died)");
  // Its successor is brought to what all others serve.
  EXPECT_EQ(text(reload_.child_born(3, "worker 0")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_ready(3, 1)), "commit 3 g1");
  EXPECT_EQ(text(reload_.child_swapped(3, 1)), "");
}

TEST_F(ReloadTest, DeathAfterCommitDoesNotTakeItBack) {
  first_generation();
  commit_second();
  EXPECT_EQ(text(reload_.child_gone(2, "died")), "");
  EXPECT_EQ(text(reload_.child_born(3, "worker 0")), "prepare 3 g2");
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "serves g2");
  EXPECT_EQ(text(reload_.child_ready(3, 2)), "commit 3 g2");
  EXPECT_EQ(text(reload_.child_swapped(3, 2)), "");
}

TEST_F(ReloadTest, DeathOfTheLastOneToSwap) {
  first_generation();
  commit_second();
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_gone(2, "died")), "serves g2");
}

TEST_F(ReloadTest, SilentBeforeReady) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_silent(2)),
            "abort 1 g2, abort 2 g2, discard g2, refused g1 (worker 0 did not answer in time)");
  EXPECT_EQ(text(reload_.child_silent(1)), "");  // nothing is expected any more
}

TEST_F(ReloadTest, SilentAfterCommitIsReplaced) {
  first_generation();
  commit_second();
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_silent(2)), "kill 2 (did not answer in time at generation 2)");
  EXPECT_EQ(text(reload_.child_gone(2, "killed")), "serves g2");
}

TEST_F(ReloadTest, FailureAfterReadyIsReplacedNotRefused) {
  first_generation();
  commit_second();
  EXPECT_EQ(text(reload_.child_failed(2, 2, "cannot")), "kill 2 (failed at generation 2: cannot)");
}

TEST_F(ReloadTest, HoweverManyRequestsMeanwhileOneReloadFollows) {
  first_generation();
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.opened({1, 2})), "prepare 1 g2, prepare 2 g2");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_swapped(2, 2)), "serves g2, read");
  EXPECT_EQ(text(reload_.plan_refused("gone")), "refused g2 (gone)");
  EXPECT_FALSE(reload_.busy());
}

TEST_F(ReloadTest, ARefusedReloadDoesNotSwallowTheNextRequest) {
  first_generation();
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.plan_refused("bad")), "refused g1 (bad), read");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.open_failed("in use")), "discard g2, refused g1 (in use), read");
}

TEST_F(ReloadTest, MoreWorkers) {
  first_generation();
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "");
  EXPECT_EQ(text(reload_.opened({1, 2, 3})), "prepare 1 g2, prepare 2 g2, prepare 3 g2");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(3, 2)), "commit 1 g2, commit 2 g2, commit 3 g2, adopt g2");
}

TEST_F(ReloadTest, FewerWorkers) {
  first_generation();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_ready(3, 1)), "commit 3 g1");
  EXPECT_EQ(text(reload_.child_swapped(3, 1)), "");
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.opened({1, 2})), "prepare 1 g2, prepare 2 g2");
  // The one that is to leave serves on, and its death says nothing about generation 2.
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
  EXPECT_EQ(text(reload_.child_gone(3, "is told to leave")), "");
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_swapped(2, 2)), "serves g2");
}

TEST_F(ReloadTest, StartedForACandidateThatFails) {
  first_generation();
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "");
  EXPECT_EQ(text(reload_.opened({1, 2, 3})), "prepare 1 g2, prepare 2 g2, prepare 3 g2");
  // If it is still wanted (its slot was empty), it gets generation 1; else it is sent away before
  // its PREPARE, which is then skipped.
  EXPECT_EQ(text(reload_.child_failed(1, 2, "no")),
            "abort 1 g2, abort 2 g2, abort 3 g2, discard g2, refused g1 (relay: no), prepare 3 g1");
}

TEST_F(ReloadTest, NewbornDuringPrepareGetsTheCurrentOneThenTheNext) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
  EXPECT_EQ(text(reload_.child_ready(3, 1)), "abort 3 g1, prepare 3 g2");
  EXPECT_EQ(text(reload_.child_ready(3, 2)), "commit 3 g2");
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_swapped(2, 2)), "serves g2");
  EXPECT_EQ(text(reload_.child_swapped(3, 2)), "");
}

TEST_F(ReloadTest, NewbornCommittedToTheOldOneIsBroughtOnAfterwards) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_ready(3, 1)), "commit 3 g1");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
  EXPECT_EQ(text(reload_.child_swapped(3, 1)), "prepare 3 g2");
}

TEST_F(ReloadTest, ParticipantStillOnItsWayIsAskedWhenItHasArrived) {
  first_generation();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.opened({1, 2, 3})), "prepare 1 g2, prepare 2 g2");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "");  // not without worker 1
  EXPECT_EQ(text(reload_.child_ready(3, 1)), "commit 3 g1");
  EXPECT_EQ(text(reload_.child_swapped(3, 1)), "prepare 3 g2");
  EXPECT_EQ(text(reload_.child_ready(3, 2)), "commit 1 g2, commit 2 g2, commit 3 g2, adopt g2");
}

TEST_F(ReloadTest, ParticipantOvertakenTwiceGoesStraightToTheCandidate) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(text(reload_.child_swapped(2, 2)), "serves g2");
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g3");
  EXPECT_EQ(text(reload_.opened({1, 2, 3})), "prepare 1 g3, prepare 2 g3");
  EXPECT_EQ(text(reload_.child_ready(3, 1)), "abort 3 g1, prepare 3 g3");
}

TEST_F(ReloadTest, ParticipantStillOnItsWayThatHangsIsKilledAndEndsTheReload) {
  first_generation();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.request()), "read");
  EXPECT_EQ(text(reload_.plan_accepted()), "open g2");
  EXPECT_EQ(text(reload_.opened({1, 2, 3})), "prepare 1 g2, prepare 2 g2");
  EXPECT_EQ(text(reload_.child_silent(3)), "kill 3 (did not answer in time at generation 1)");
  EXPECT_EQ(text(reload_.child_gone(3, "killed")),
            "abort 1 g2, abort 2 g2, discard g2, refused g1 (worker 1 killed)");
}

TEST_F(ReloadTest, NewbornThatCannotServeTheCurrentOneIsKilled) {
  first_generation();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_failed(3, 1, "no")), "kill 3 (failed at generation 1: no)");
  EXPECT_EQ(text(reload_.child_gone(3, "killed")), "");
  EXPECT_FALSE(reload_.busy());
}

TEST_F(ReloadTest, NewbornThatHangsIsKilled) {
  first_generation();
  EXPECT_EQ(text(reload_.child_born(3, "worker 1")), "prepare 3 g1");
  EXPECT_EQ(text(reload_.child_silent(3)), "kill 3 (did not answer in time at generation 1)");
}

TEST_F(ReloadTest, BornBeforeAnythingServesWaits) {
  EXPECT_EQ(text(reload_.child_born(1, "relay")), "");
  EXPECT_EQ(text(reload_.request()), "read");
}

TEST_F(ReloadTest, AnswersNobodyAskedForMeanNothing) {
  first_generation();
  EXPECT_EQ(text(reload_.child_ready(1, 1)), "");
  EXPECT_EQ(text(reload_.child_swapped(1, 1)), "");
  EXPECT_EQ(text(reload_.child_failed(1, 1, "x")), "");
  EXPECT_EQ(text(reload_.child_silent(1)), "");
  EXPECT_EQ(text(reload_.child_ready(77, 1)), "");
  EXPECT_EQ(text(reload_.child_gone(77, "x")), "");
  begin_second();
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");  // before COMMIT
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");  // twice is once
  EXPECT_EQ(text(reload_.child_ready(2, 2)), "commit 1 g2, commit 2 g2, adopt g2");
}

TEST_F(ReloadTest, StopGivesUpAnOpenReloadAndAllLaterOnes) {
  first_generation();
  begin_second();
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.stop()), "abort 1 g2, abort 2 g2, discard g2");
  EXPECT_EQ(text(reload_.child_ready(1, 2)), "");
  EXPECT_EQ(text(reload_.child_gone(1, "exited")), "");
  EXPECT_EQ(text(reload_.request()), "");
  EXPECT_EQ(text(reload_.child_born(5, "worker 0")), "");
  EXPECT_EQ(text(reload_.plan_accepted()), "");  // a reader that was under way
}

TEST_F(ReloadTest, StopAfterCommitLetsItStand) {
  first_generation();
  commit_second();
  EXPECT_EQ(text(reload_.stop()), "");
  EXPECT_EQ(text(reload_.child_swapped(1, 2)), "");
  EXPECT_EQ(reload_.current(), 2u);
}

}  // namespace
}  // namespace m2
