// Goal: those that wait for room are served in turn while there is some, may wait again, and may
// end, with or before the list, at any moment.
#include "worker/link/room_waiter.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

namespace m2 {
namespace {

struct Waiter final : RoomWaiter {
  void room() override { on_room(); }
  std::function<void()> on_room = [] {};
};

TEST(RoomWaiters, AreServedInTurnWhileThereIsRoom) {
  RoomWaiters waiters;
  std::vector<int> served;
  Waiter first, second, third;
  first.on_room = [&] {
    served.push_back(1);
    waiters.add(first);  // behind the others, not in this round
  };
  second.on_room = [&] { served.push_back(2); };
  third.on_room = [&] { served.push_back(3); };
  for (Waiter* waiter : {&first, &second, &third}) waiters.add(*waiter);
  waiters.add(first);  // waits already
  waiters.serve([&] { return served.size() < 2; });
  EXPECT_EQ(served, (std::vector<int>{1, 2}));
  waiters.serve([] { return true; });
  EXPECT_EQ(served, (std::vector<int>{1, 2, 3, 1}));
  EXPECT_FALSE(waiters.empty());
  first.wait_no_more();
  EXPECT_TRUE(waiters.empty());
}

TEST(RoomWaiters, EndAtAnyMoment) {
  auto waiters = std::make_unique<RoomWaiters>();
  auto first = std::make_unique<Waiter>();
  auto second = std::make_unique<Waiter>();
  Waiter third;
  int served = 0;
  first->on_room = [&] {
    second.reset();  // another one ends
    ++served;
  };
  third.on_room = [&] {
    waiters.reset();  // all of it ends
    ++served;
  };
  waiters->add(*first);
  waiters->add(*second);
  waiters->add(third);
  waiters->serve([] { return true; });
  EXPECT_EQ(served, 2);
  EXPECT_FALSE(third.waits_for_room());
}

}  // namespace
}  // namespace m2
