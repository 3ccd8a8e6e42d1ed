// Goal: through the relay, requests of all workers reach handlers, each reply reaches every worker
// that it concerns and no other, and what cannot be delivered is given back. Method: the links of
// real workers on one side, handlers of plain libzmq sockets on the other.
#include "tests/unit/worker/relay/pair_fixture.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;
using Worker = test::PairWorker;
class HandlerPairTest : public test::PairFixture {};

TEST_F(HandlerPairTest, CarriesRequestsAndRepliesOfTwoWorkers) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001);
  add(zero);
  add(one);
  EXPECT_TRUE(zero.submit(1));  // waits at its worker until a handler comes
  auto handler = start_handler();
  EXPECT_EQ(receive(*handler), zero.request(1));
  for (uint64_t number = 2; number <= 300; ++number) {
    ASSERT_TRUE(zero.submit(number));
    ASSERT_TRUE(one.submit(number));
  }
  size_t answered = 0;
  ASSERT_TRUE(turns.until([&] {
    while (auto text = receive_text(handler->requests)) {
      const std::string id = text->substr(7, text->find(' ', 7) - 7);
      send_text(handler->replies, "sender " + std::to_string(id.size()) + ":" + id + ", for " + id);
      ++answered;
    }
    return zero.replies.size() == 299 && one.replies.size() == 299;
  }));
  EXPECT_EQ(answered, 598u);
  for (const Worker* worker : {&zero, &one}) {
    for (uint64_t number = 2; number <= 300; ++number) {
      const std::string id = worker->text_id(number);
      EXPECT_EQ(worker->replies[number - 2],
                "sender " + std::to_string(id.size()) + ":" + id + ", for " + id);
    }
    EXPECT_TRUE(worker->refused.empty());
  }
}

// One message for several workers goes to each once, unchanged.
TEST_F(HandlerPairTest, SendsOneMessageToEachWorkerConcerned) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001),
      two(turns, directory, 2, 1002);
  for (Worker* worker : {&zero, &one, &two}) add(*worker);
  auto handler = start_handler();
  warm_up(zero, *handler);
  const std::string ids = zero.text_id(1) + ' ' + two.text_id(5) + ' ' + zero.text_id(2);
  const std::string text =
      "x " + std::to_string(ids.size()) + ":" + ids + ", " + std::string(50'000, 'b');
  send_text(handler->replies, text);
  ASSERT_TRUE(turns.until([&] { return !zero.replies.empty() && !two.replies.empty(); }));
  const std::string last =
      "x " + std::to_string(one.text_id(1).size()) + ":" + one.text_id(1) + ", end";
  send_text(handler->replies, last);
  ASSERT_TRUE(turns.until([&] { return !one.replies.empty(); }));
  EXPECT_EQ(zero.replies, std::vector<std::string>{text});
  EXPECT_EQ(two.replies, std::vector<std::string>{text});
  EXPECT_EQ(one.replies, std::vector<std::string>{last});
}

TEST_F(HandlerPairTest, DropsAndCountsWhatIsNoReply) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  send_text(handler->replies, "nonsense");
  send_text(handler->replies, "@relay refused " + zero.text_id(1) + " forged");
  send_text(handler->replies, "x 9:1 2 3 4 5, too many targets");
  handler->replies.send(zmq::str_buffer("x 1:1, "), zmq::send_flags::sndmore);
  handler->replies.send(zmq::str_buffer("two parts"));
  const std::string good =
      "x " + std::to_string(zero.text_id(1).size()) + ":" + zero.text_id(1) + ", good";
  send_text(handler->replies, good);
  ASSERT_TRUE(turns.until([&] { return !zero.replies.empty(); }));
  EXPECT_EQ(zero.replies, std::vector<std::string>{good});
  EXPECT_TRUE(zero.refused.empty());
  EXPECT_EQ(pair->drops().replies_invalid, 4u);
}

// An id of an earlier worker in the slot goes to the live one, which knows that it is nobody's.
TEST_F(HandlerPairTest, TwoWorkersOfOneSlotGetTheirOwnReplies) {
  open();
  Worker old(turns, directory, 3, 1000), young(turns, directory, 3, 2000);
  add(young);
  add(old);
  auto handler = start_handler();
  warm_up(young, *handler);
  const auto reply = [&](const std::string& id) {
    const std::string text = "x " + std::to_string(id.size()) + ":" + id + ", b";
    send_text(handler->replies, text);
    return text;
  };
  const std::string to_old = reply(old.text_id(1));
  const std::string to_young = reply(young.text_id(1));
  reply(std::to_string(first_connection_id(3, 500) + 1));  // of one that is no more: neither's
  reply(old.text_id(2));
  ASSERT_TRUE(turns.until([&] { return old.replies.size() == 2 && young.replies.size() == 1; }));
  EXPECT_EQ(old.replies[0], to_old);
  EXPECT_EQ(young.replies, std::vector<std::string>{to_young});
}

TEST_F(HandlerPairTest, TellsWorkersWhenHandlersComeAndGo) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  {
    auto handler = start_handler();
    ASSERT_TRUE(turns.until([&] { return zero.link->has_handlers(); }));
    Worker late(turns, directory, 1, 1001);
    add(late);
    ASSERT_TRUE(turns.until([&] { return late.link->has_handlers(); }));
    pair->remove_worker(late.name);
  }
  ASSERT_TRUE(turns.until([&] { return !zero.link->has_handlers(); }));
  EXPECT_TRUE(zero.submit(1));
  EXPECT_TRUE(zero.link->withdraw(zero.id(1)));  // it waits where it can be taken back
}

// What was on its way when the last handler left waits for the next one, or is given back.
TEST_F(HandlerPairTest, GivesBackWhatNoHandlerTookInTime) {
  open(1000, 50);
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  // The handler goes while the worker still believes in it.
  handler.reset();
  ASSERT_TRUE(turns.until([&] { return !pair->has_handlers(); }));
  uint64_t sent = 0;
  if (zero.link->has_handlers()) {
    while (sent < 20) ASSERT_TRUE(zero.submit(++sent));
  }
  ASSERT_TRUE(turns.until([&] { return !zero.link->has_handlers(); }));
  ASSERT_TRUE(turns.until([&] { return zero.refused.size() == sent; }));
  for (const auto& [id, why] : zero.refused) EXPECT_EQ(why, "no handler connected for 50 ms");
  EXPECT_EQ(pair->drops().requests_late, sent);
}

TEST_F(HandlerPairTest, KeepsWhatWasOnItsWayForTheNextHandler) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  handler.reset();
  ASSERT_TRUE(turns.until([&] { return !pair->has_handlers(); }));
  std::vector<std::string> expected;
  for (uint64_t number = 1; number <= 20; ++number) {
    ASSERT_TRUE(zero.submit(number));
    expected.push_back(zero.request(number));
  }
  handler = start_handler();
  EXPECT_EQ(receive(*handler, 20), expected);
}

TEST_F(HandlerPairTest, KnowsEachWorkerOnce) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  add(zero);  // named again by the next generation
  auto handler = start_handler();
  warm_up(zero, *handler);
  EXPECT_EQ(pair->worker_peers(), 1u);
  pair->remove_worker(zero.name);
  pair->remove_worker(zero.name);  // nothing happens
  EXPECT_TRUE(turns.until([&] { return !zero.link->has_handlers(); }));
}

TEST_F(HandlerPairTest, KnowsWhenItsWorkersAreGone) {
  open();
  auto zero = std::make_unique<Worker>(turns, directory, 0, 1000);
  add(*zero);
  ASSERT_TRUE(turns.until([&] { return pair->worker_peers() == 1; }));
  zero.reset();
  EXPECT_TRUE(turns.until([&] { return pair->worker_peers() == 0; }));
}

TEST_F(HandlerPairTest, SubscribesForTheWorkers) {
  open(1000, 60'000, "old");
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  const std::string rest =
      " " + std::to_string(zero.text_id(1).size()) + ":" + zero.text_id(1) + ", b";
  send_text(handler->replies, "new" + rest);
  send_text(handler->replies, "old" + rest);
  ASSERT_TRUE(turns.until([&] { return zero.replies.size() == 1; }));
  EXPECT_EQ(zero.replies[0], "old" + rest);
  HandlerPairOptions options;
  options.recv_ident = "new";
  pair->update(options);
  ASSERT_TRUE(turns.until([&] {
    send_text(handler->replies, "new" + rest);
    return zero.replies.size() >= 2;
  }));
  EXPECT_EQ(zero.replies[1], "new" + rest);
}

// A worker that reads nothing for a while costs its neighbour no reply, and gets all of its own.
TEST_F(HandlerPairTest, LosesNoReplyToASlowWorker) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  zmq::context_t context{1};
  zmq::socket_t slow_requests(context, ZMQ_PUSH), slow_replies(context, ZMQ_PULL);
  slow_replies.set(zmq::sockopt::rcvhwm, 10);
  slow_requests.bind(directory.ipc("slow-q"));
  slow_replies.bind(directory.ipc("slow-r"));
  ASSERT_TRUE(pair->add_worker({1, 1001}, directory.ipc("slow-q"), directory.ipc("slow-r")).ok());
  auto handler = start_handler();
  handler->replies.set(zmq::sockopt::sndhwm, 0);  // as the documentation asks of handlers
  warm_up(zero, *handler);

  const auto reply = [&](const std::string& id, const std::string& body) {
    send_text(handler->replies, "x " + std::to_string(id.size()) + ":" + id + ", " + body);
  };
  const std::string slow_id = std::to_string(first_connection_id(1, 1001) + 1);
  const std::string filler(1000, 'f');
  for (int number = 0; number < 3000; ++number) {
    reply(slow_id, std::to_string(number) + ' ' + filler);
    reply(zero.text_id(1), std::to_string(number));
  }
  ASSERT_TRUE(turns.until([&] { return zero.replies.size() == 3000; }));
  int received = 0;
  ASSERT_TRUE(turns.until([&] {
    while (auto text = receive_text(slow_replies)) {
      if (text->starts_with("@relay ")) continue;
      const std::string body = text->substr(text->find(", ") + 2);
      EXPECT_EQ(body.substr(0, body.find(' ')), std::to_string(received));
      ++received;
    }
    return received == 3000;
  }));
}

// Handlers that are full let the requests wait at the workers, where they are counted and can be
// refused.
TEST_F(HandlerPairTest, AFullHandlerFillsTheWorkersQueue) {
  open(5, 30);
  Worker zero(turns, directory, 0, 1000, 30);
  add(zero);
  auto handler = start_handler();
  handler->requests.set(zmq::sockopt::rcvhwm, 1);
  warm_up(zero, *handler);
  uint64_t number = 0;
  size_t accepted = 0;
  const std::string large(100'000, 'x');
  ASSERT_TRUE(turns.until([&] {
    ++number;
    if (zero.link->submit(zero.id(number), zero.request(number) + large)) ++accepted;
    return pair->drops().requests_late > 0 && zero.link->drops().requests_late > 0;
  }));
  // All are accounted for: given back by one of the two, or waiting for the handler.
  size_t received = 0;
  ASSERT_TRUE(turns.until([&] {
    while (receive_text(handler->requests)) ++received;
    return received + zero.refused.size() == accepted;
  }));
}

}  // namespace
}  // namespace m2
