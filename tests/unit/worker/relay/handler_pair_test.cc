// Goal: through the relay, requests of all workers reach handlers, each reply reaches every worker
// that it concerns and no other, and what cannot be delivered is given back or told. Method: the
// links of real workers on one side, handlers of plain libzmq sockets on the other.
#include "worker/relay/handler_pair.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/worker/link/peers.h"
#include "worker/link/handler_link.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;

class Worker final : HandlerLinkUser {
 public:
  Worker(test::Turns& turns, const test::TempDir& directory, unsigned slot, uint64_t incarnation,
         uint32_t wait_ms = 60'000)
      : name{slot, incarnation} {
    const std::string place = std::to_string(slot) + "-" + std::to_string(incarnation);
    HandlerLinkOptions options;
    options.send_spec = "worker " + place;
    requests_endpoint = options.requests_endpoint = directory.ipc(place + "-q");
    replies_endpoint = options.replies_endpoint = directory.ipc(place + "-r");
    options.wait_ms = wait_ms;
    auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
    EXPECT_TRUE(opened.ok()) << opened.message();
    link = std::move(opened).value();
  }
  void handler_message(HandlerLink&, HandlerMessage& message) override {
    replies.emplace_back(message.bytes());
  }
  void request_refused(HandlerLink&, ConnectionId id, std::string_view why) override {
    refused.emplace_back(id, why);
  }
  ConnectionId id(uint64_t number) const {
    return first_connection_id(name.slot, name.incarnation) + number;
  }
  std::string text_id(uint64_t number) const { return std::to_string(id(number)); }
  std::string request(uint64_t number) const {
    return "sender " + text_id(number) + " /path 2:{},0:,";
  }
  std::string notice(uint64_t number) const {
    return "sender " + text_id(number) +
           " @* 17:{\"METHOD\":\"JSON\"},21:{\"type\":\"disconnect\"},";
  }
  bool submit(uint64_t number) { return link->submit(id(number), request(number)); }
  void leave(uint64_t number) { link->notify(id(number), notice(number)); }

  const WorkerName name;
  std::string requests_endpoint, replies_endpoint;
  std::unique_ptr<HandlerLink> link;
  std::vector<std::string> replies;
  std::vector<std::pair<ConnectionId, std::string>> refused;
};

class HandlerPairTest : public testing::Test {
 protected:
  void open(uint32_t queue_max = 1000, uint32_t wait_ms = 60'000, std::string recv_ident = "") {
    test::Listener send = test::listen_tcp();
    test::Listener recv = test::listen_tcp();
    HandlerPairOptions options;
    options.send_spec = send.endpoint;
    options.recv_spec = recv.endpoint;
    options.send_ident = "sender";
    options.recv_ident = std::move(recv_ident);
    options.targets_max = 4;
    options.queue_max = queue_max;
    options.wait_ms = wait_ms;
    auto opened = HandlerPair::open(turns.loop, turns.context, std::move(options),
                                    std::move(send.fd), std::move(recv.fd));
    ASSERT_TRUE(opened.ok()) << opened.message();
    pair = std::move(opened).value();
  }
  void add(const Worker& worker) {
    const Status status =
        pair->add_worker(worker.name, worker.requests_endpoint, worker.replies_endpoint);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::unique_ptr<HandlerPeer> start_handler() {
    return std::make_unique<HandlerPeer>(pair->send_spec(), pair->recv_spec());
  }
  std::string receive(HandlerPeer& handler) {
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = receive_text(handler.requests)).has_value(); }));
    return text.value_or("nothing");
  }
  std::vector<std::string> receive(HandlerPeer& handler, size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count && !HasFailure()) texts.push_back(receive(handler));
    std::sort(texts.begin(), texts.end());
    return texts;
  }
  // The handler is heard: what it publishes from here on arrives.
  void warm_up(Worker& worker, HandlerPeer& handler) {
    ASSERT_TRUE(worker.submit(999));
    EXPECT_EQ(receive(handler), worker.request(999));
    worker.leave(999);
    EXPECT_EQ(receive(handler), worker.notice(999));
  }

  test::Turns turns;
  test::TempDir directory;
  std::unique_ptr<HandlerPair> pair;
};

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

TEST_F(HandlerPairTest, AnswersForSlotsThatHaveNoWorker) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  const std::string gone = std::to_string(first_connection_id(7, 500) + 3);
  const std::string size = std::to_string(gone.size());
  send_text(handler->replies, "x " + size + ":" + gone + ", ");  // a close asks for no answer
  send_text(handler->replies, "x " + size + ":" + gone + ", body");
  const std::string notice =
      "sender " + gone + " @* 17:{\"METHOD\":\"JSON\"},21:{\"type\":\"disconnect\"},";
  EXPECT_EQ(receive(*handler), notice);
  ASSERT_TRUE(zero.submit(1));
  EXPECT_EQ(receive(*handler), zero.request(1));  // and not a second notice
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
  const std::string older = reply(std::to_string(first_connection_id(3, 500) + 1));
  ASSERT_TRUE(turns.until([&] { return old.replies.size() == 2 && young.replies.size() == 1; }));
  EXPECT_EQ(old.replies, (std::vector<std::string>{to_old, older}));
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

// The handlers hear of each connection they were told of, once, and of no other.
TEST_F(HandlerPairTest, TellsHandlersOfTheConnectionsOfADeadWorker) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001);
  add(zero);
  add(one);
  auto handler = start_handler();
  warm_up(zero, *handler);
  std::vector<std::string> expected;
  for (uint64_t number = 1; number <= 40; ++number) {
    ASSERT_TRUE(one.submit(number));
    ASSERT_TRUE(zero.submit(number));
    if (number > 10) expected.push_back(one.notice(number));
  }
  for (uint64_t number = 1; number <= 10; ++number) one.leave(number);
  ASSERT_TRUE(one.submit(40));  // a second request of the same connection
  receive(*handler, 91);
  one.link.reset();
  pair->remove_worker(one.name);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(receive(*handler, 30), expected);
  ASSERT_TRUE(zero.submit(41));
  EXPECT_EQ(receive(*handler), zero.request(41));  // nothing else was in between
  EXPECT_EQ(pair->drops().notices, 0u);
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
