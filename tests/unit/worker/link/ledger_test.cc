// Goal: each entry ends once, by settling, by time, or with the handlers that had it; entries that
// others had, or that nobody had yet, stay. Method: a ledger and its user, real but short times.
#include "worker/link/ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <utility>

#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

class LedgerTest : public testing::Test, protected LedgerUser {
 protected:
  void overdue(ConnectionId id, Overdue cause) override {
    told.emplace_back(id, cause);
    if (on_overdue) on_overdue();
  }
  void forget(Owed& owed) override { forgotten.push_back(&owed); }
  void settled(PeerId peer) override { settled_peers.push_back(peer); }

  std::unique_ptr<Ledger> make() {
    LedgerUser& user = *this;
    return std::make_unique<Ledger>(turns.loop, user);
  }

  test::Turns turns;
  std::unique_ptr<Ledger> ledger = make();
  std::vector<std::pair<ConnectionId, Overdue>> told;
  std::vector<Owed*> forgotten;
  std::vector<PeerId> settled_peers;
  std::function<void()> on_overdue;
  static constexpr auto kLate = Overdue::kLate;
  static constexpr auto kGone = Overdue::kGone;
};

TEST_F(LedgerTest, KnowsWhetherAnyOfTheFirstIsOwed) {
  std::array<Owed, 3> owed;
  EXPECT_FALSE(ledger->owes(5));
  ledger->add(owed[0], 1, 4);
  ledger->add(owed[1], 2, 6);
  ledger->add(owed[2], 3, 0);  // it still waits
  EXPECT_FALSE(ledger->owes(3));
  EXPECT_TRUE(ledger->owes(5));
  owed[0].answer_came();
  EXPECT_TRUE(ledger->owes(5));
  owed[0].settle();
  EXPECT_FALSE(ledger->owes(5));
  owed[2].handed_over(7);
  owed[1].settle();
  EXPECT_FALSE(ledger->owes(6));
  EXPECT_TRUE(ledger->owes(7));
}

TEST_F(LedgerTest, TellsOfWhatWasNotAnsweredInTime) {
  ledger->set_limits(20, 0);
  std::array<Owed, 4> owed;
  for (unsigned at = 0; at < 4; ++at) ledger->add(owed[at], at + 1, at + 1);
  owed[1].settle();
  owed[2].answer_came();  // however long the rest takes
  ASSERT_TRUE(turns.until([&] { return told.size() == 2; }));
  EXPECT_EQ(told, (std::vector<std::pair<ConnectionId, Overdue>>{{1, kLate}, {4, kLate}}));
  EXPECT_EQ(ledger->size(), 3u);
  // Told once. A new request of the same connection is an entry of its own.
  ledger->add(owed[0], 1, 5);
  ASSERT_TRUE(turns.until([&] { return told.size() == 3; }));
  EXPECT_EQ(told.back(), (std::pair<ConnectionId, Overdue>{1, kLate}));
}

// Only what that one handler had is lost with it, and what it never had is taken back.
TEST_F(LedgerTest, KnowsWhoHasWhat) {
  ledger->set_limits(0, 20);
  std::array<Owed, 4> owed;
  for (unsigned at = 0; at < 4; ++at) {
    ledger->add(owed[at], at + 1, at + 1);
    owed[at].is_with(at < 3 ? 7 : 8);
  }
  EXPECT_EQ(ledger->take_back(3, 8), nullptr);
  EXPECT_EQ(ledger->take_back(3, 7), &owed[2]);
  owed[1].settle();
  EXPECT_EQ(settled_peers, std::vector<PeerId>{7});
  ledger->peer_gone(7);
  ASSERT_TRUE(turns.until([&] { return told.size() == 1; }));
  EXPECT_EQ(told[0], (std::pair<ConnectionId, Overdue>{1, kGone}));
  owed[2].settle();  // it waits again
  EXPECT_EQ(forgotten, std::vector<Owed*>{&owed[2]});
  EXPECT_EQ(settled_peers.size(), 1u);
  ledger->peer_gone(8);
  ASSERT_TRUE(turns.until([&] { return told.size() == 2; }));
  EXPECT_EQ(told[1].first, 4u);
}

// By connection, for those that do not see the handlers: what was sent since is not meant.
TEST_F(LedgerTest, LosesWhatItIsToldByName) {
  ledger->set_limits(0, 20);
  std::array<Owed, 4> owed;
  for (unsigned at = 0; at < 4; ++at) ledger->add(owed[at], at + 1, at + 1);
  ledger->gone({4, 2, 1}, 3);
  ledger->not_gone({1, 9});
  ASSERT_TRUE(turns.until([&] { return !told.empty(); }));
  EXPECT_EQ(told, (std::vector<std::pair<ConnectionId, Overdue>>{{2, kGone}}));
}

TEST_F(LedgerTest, KeepsTheOwnTimesOfEntries) {
  ledger->set_limits(40, 0);
  std::array<Owed, 5> owed;
  owed[0].set_timeout(0);
  owed[1].set_timeout(80);
  owed[3].set_timeout(10);  // sooner than all that wait already
  owed[4].set_timeout(10);
  for (unsigned at = 0; at < 5; ++at) ledger->add(owed[at], at + 1, at + 1);
  owed[4].answer_came();
  ASSERT_TRUE(turns.until([&] { return told.size() == 3; }));
  EXPECT_EQ(told,
            (std::vector<std::pair<ConnectionId, Overdue>>{{4, kLate}, {3, kLate}, {2, kLate}}));
  EXPECT_TRUE(ledger->owes(1));  // for ever
}

TEST_F(LedgerTest, WaitsForEverWithoutALimit) {
  std::array<Owed, 2> owed;
  ledger->set_limits(0, 0);
  ledger->add(owed[0], 1, 1);
  ledger->gone(1, 1);  // no grace time: 1.x knows none of this
  ledger->set_limits(10, 10);
  ASSERT_TRUE(turns.until([&] { return told.size() == 1; }));
  EXPECT_EQ(told[0].second, kLate);  // a new limit is for those that wait already, too
}

TEST_F(LedgerTest, TellsOfWhatTheGoneHandlersHad) {
  ledger->set_limits(0, 20);
  std::array<Owed, 6> owed;
  for (unsigned at = 0; at < 5; ++at) ledger->add(owed[at], at + 1, at + 1);
  ledger->add(owed[5], 6, 0);  // waits, nobody had it
  owed[2].answer_came();       // the rest of it does not come either
  ledger->gone(2, 4);
  owed[3].settle();  // a handler came back and answered
  ledger->gone(2, 4);
  ASSERT_TRUE(turns.until([&] { return told.size() == 2; }));
  EXPECT_EQ(told, (std::vector<std::pair<ConnectionId, Overdue>>{{2, kGone}, {3, kGone}}));
  owed[5].handed_over(6);
  ledger->gone(6, 6);
  ASSERT_TRUE(turns.until([&] { return told.size() == 3; }));
  EXPECT_EQ(told[2].first, 6u);
}

TEST_F(LedgerTest, ForgivesWhatIsAnsweredByHandlersThatCameBack) {
  ledger->set_limits(0, 500);
  std::array<Owed, 3> owed;
  for (unsigned at = 0; at < 3; ++at) ledger->add(owed[at], at + 1, at + 1);
  owed[0].answer_came();
  ledger->gone(1, 3);
  owed[1].answer_came();  // what the gone one said last
  ASSERT_TRUE(turns.until([&, before = turns.loop.now()] { return turns.loop.now() > before; }));
  ledger->returned();
  owed[0].answer_came();
  ASSERT_TRUE(turns.until([&] { return told.size() == 2; }));
  EXPECT_EQ(told, (std::vector<std::pair<ConnectionId, Overdue>>{{3, kGone}, {2, kGone}}));
  EXPECT_FALSE(owed[0].handlers_gone());
  EXPECT_TRUE(owed[1].handlers_gone());
}

TEST_F(LedgerTest, SaysWhoeverWasNeverHandedOver) {
  Owed queued;
  Owed passed;
  ledger->add(queued, 1, 0);
  ledger->add(passed, 2, 1);
  queued.settle();
  passed.settle();
  EXPECT_EQ(forgotten, std::vector<Owed*>{&queued});
  EXPECT_EQ(ledger->size(), 0u);
}

TEST_F(LedgerTest, MayBeDestroyedByItsUserAndBeforeItsEntries) {
  std::array<Owed, 3> owed;
  ledger->set_limits(1, 0);
  for (unsigned at = 0; at < 3; ++at) ledger->add(owed[at], at + 1, at + 1);
  on_overdue = [&] { ledger.reset(); };
  ASSERT_TRUE(turns.until([&] { return ledger == nullptr; }));
  EXPECT_EQ(told.size(), 1u);
  for (Owed& each : owed) each.settle();
}

}  // namespace
}  // namespace m2
