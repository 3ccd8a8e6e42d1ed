// Goal: a deadline passes once, never early; moved, cleared and destroyed ones behave; objects may
// be destroyed and deadlines set from inside deadline_passed(). Nothing here measures lateness.
#include "common/deadlines.h"

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <vector>

namespace m2 {
namespace {

struct Waiter final : Deadline {
  explicit Waiter(std::function<void()> then) : passed(std::move(then)) {}
  void deadline_passed() override { passed(); }
  std::function<void()> passed;
};

class DeadlinesTest : public testing::Test {
 protected:
  template <typename Condition>
  void run_until(Condition condition) {
    for (int turn = 0; turn < 1000 && !condition(); ++turn) loop_.run_once();  // ticks of 100 ms
    ASSERT_TRUE(condition());
  }
  Loop loop_;
  Deadlines deadlines_{loop_};
};

TEST_F(DeadlinesTest, PassesOnceAndNotEarly) {
  int passed = 0;
  Waiter waiter([&] { ++passed; });
  const double begin = loop_.now();
  deadlines_.set(waiter, 250);
  run_until([&] { return passed > 0; });
  EXPECT_GE(loop_.now() - begin, 0.249);
  for (int turn = 0; turn < 3; ++turn) loop_.run_once();
  EXPECT_EQ(passed, 1);
}

TEST_F(DeadlinesTest, LaterReplacesEarlierAndEarlierReplacesLater) {
  std::vector<char> order;
  Waiter a([&] { order.push_back('a'); });
  Waiter b([&] { order.push_back('b'); });
  Waiter c([&] { order.push_back('c'); });
  deadlines_.set(a, 100);
  deadlines_.set(a, 700);  // later
  deadlines_.set(b, 60'000);
  deadlines_.set(b, 100);  // earlier
  deadlines_.set(c, 400);
  run_until([&] { return order.size() == 3; });
  EXPECT_EQ(order, (std::vector<char>{'b', 'c', 'a'}));
}

// What came while the process stood still came in time: the deadline is later by then.
TEST_F(DeadlinesTest, WhatHasComeIsTakenFirst) {
  struct Reader {
    void on_ready(int) {
      char byte;
      EXPECT_EQ(::read(fd, &byte, 1), 1);
      deadlines.set(waiter, 60'000);
      taken = true;
    }
    int fd;
    Deadlines& deadlines;
    Deadline& waiter;
    bool taken = false;
  };
  Waiter waiter([] { FAIL(); });
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  Reader reader{.fd = pipe[0], .deadlines = deadlines_, .waiter = waiter};
  IoWatcher watcher;
  watcher.start<&Reader::on_ready>(loop_, pipe[0], EV_READ, &reader);
  deadlines_.set(waiter, 100);
  const timespec longer{.tv_sec = 0, .tv_nsec = 500'000'000};
  ASSERT_EQ(::nanosleep(&longer, nullptr), 0);
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  run_until([&] { return reader.taken; });
  for (int turn = 0; turn < 3; ++turn) loop_.run_once();
  watcher.stop();
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(DeadlinesTest, ClearedAndDestroyedOnesStaySilent) {
  bool done = false;
  Waiter cleared([] { FAIL(); });
  auto destroyed = std::make_unique<Waiter>([] { FAIL(); });
  Waiter last([&] { done = true; });
  deadlines_.set(cleared, 100);
  deadlines_.set(*destroyed, 100);
  deadlines_.set(last, 500);
  deadlines_.clear(cleared);
  destroyed.reset();
  run_until([&] { return done; });
}

TEST_F(DeadlinesTest, ClearedCanBeSetAgain) {
  int passed = 0;
  Waiter waiter([&] { ++passed; });
  deadlines_.set(waiter, 100);
  deadlines_.clear(waiter);
  deadlines_.set(waiter, 300);
  const double begin = loop_.now();
  run_until([&] { return passed == 1; });
  EXPECT_GE(loop_.now() - begin, 0.29);
}

TEST_F(DeadlinesTest, MayDestroyItselfAndItsNeighbour) {
  std::unique_ptr<Waiter> self, neighbour;
  bool done = false;
  self = std::make_unique<Waiter>([&] {
    neighbour.reset();
    self.reset();
  });
  neighbour = std::make_unique<Waiter>([] { FAIL(); });
  Waiter last([&] { done = true; });
  deadlines_.set(*self, 100);
  deadlines_.set(*neighbour, 100);
  deadlines_.set(last, 300);
  run_until([&] { return done; });
  EXPECT_EQ(self, nullptr);
}

TEST_F(DeadlinesTest, MaySetItselfAgain) {
  int passed = 0;
  std::unique_ptr<Waiter> waiter;
  waiter = std::make_unique<Waiter>([&] {
    if (++passed < 3) deadlines_.set(*waiter, 0);
  });
  deadlines_.set(*waiter, 0);
  run_until([&] { return passed == 3; });
}

// Two that share a slot of the wheel, one round apart: only the first passes in this round.
TEST_F(DeadlinesTest, OneRoundOfTheWheelLaterIsNotNow) {
  bool near = false;
  Waiter soon([&] { near = true; });
  Waiter far([] { FAIL() << "a round of the wheel early"; });
  deadlines_.set(far, 200 + 1024 * 100);
  deadlines_.set(soon, 200);
  run_until([&] { return near; });
  for (int turn = 0; turn < 3; ++turn) loop_.run_once();
}

}  // namespace
}  // namespace m2
