// Goal: through the relay, a request that was with handlers which are gone is refused, one that
// still waited in the relay reaches the next handler, and none is both. Method: as in
// handler_pair_test.cc, with a worker that says who waits.
#include <deque>

#include "tests/unit/worker/relay/pair_fixture.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using Worker = test::PairWorker;

class HandlerPairOwedTest : public test::PairFixture {
 protected:
  void submit(Worker& worker, uint64_t number) {
    ASSERT_TRUE(worker.submit(number));
    worker.link->owe(owed.emplace_back(), worker.id(number));
  }
  std::deque<Owed> owed;
};

TEST_F(HandlerPairOwedTest, RefusesWhatTheGoneHandlerHadAndKeepsTheRest) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  handler->requests.set(zmq::sockopt::rcvhwm, 1);
  warm_up(zero, *handler);
  // Large enough for sockets to fill, so that some wait in the handler, the relay and the worker.
  const std::string large(100'000, 'x');
  constexpr uint64_t kCount = 200;
  for (uint64_t number = 1; number <= kCount; ++number) {
    ASSERT_TRUE(zero.link->submit(zero.id(number), zero.request(number) + large));
    zero.link->owe(owed.emplace_back(), zero.id(number));
  }
  receive(*handler, 5);
  handler.reset();
  ASSERT_TRUE(turns.until([&] { return !zero.link->has_handlers(); }));
  handler = start_handler();
  std::vector<std::string> received;
  ASSERT_TRUE(turns.until([&] {
    while (auto text = receive_text(handler->requests)) received.push_back(*text);
    return received.size() + zero.refused.size() == kCount;
  })) << received.size()
      << " received, " << zero.refused.size() << " refused";
  EXPECT_GE(zero.refused.size(), 5u);
  EXPECT_GT(received.size(), 0u);
  for (const auto& [id, why] : zero.refused) {
    const std::string text = "sender " + std::to_string(id) + ' ';
    EXPECT_FALSE(std::any_of(received.begin(), received.end(), [&](const std::string& message) {
      return message.starts_with(text);
    }));
  }
  for (const int status : zero.statuses) EXPECT_EQ(status, 502);
}

// A worker that was there before this relay goes on with its own numbers.
TEST_F(HandlerPairOwedTest, LearnsTheNumbersOfAWorker) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001);
  add(zero);
  {
    auto handler = start_handler();
    warm_up(zero, *handler);
    for (uint64_t number = 1; number <= 20; ++number) submit(zero, number);
    owed.clear();  // all are answered
    receive(*handler, 20);
  }
  pair.reset();
  ASSERT_TRUE(turns.until([&] { return !zero.link->has_handlers(); }));
  open();
  add(zero);
  add(one);
  auto handler = start_handler();
  submit(zero, 21);
  submit(one, 22);
  receive(*handler, 2);
  handler.reset();
  const auto is_refused = [](const Worker& worker, uint64_t number) {
    return std::any_of(worker.refused.begin(), worker.refused.end(),
                       [&](const auto& entry) { return entry.first == worker.id(number); });
  };
  ASSERT_TRUE(turns.until([&] { return is_refused(zero, 21) && is_refused(one, 22); }));
  for (uint64_t number = 1; number <= 20; ++number) EXPECT_FALSE(is_refused(zero, number));
}

}  // namespace
}  // namespace m2
