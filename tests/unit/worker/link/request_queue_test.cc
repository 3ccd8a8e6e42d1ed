// Goal: what cannot leave waits in order, within its bounds, and is given back when it is late.
// Method: a real PUSH socket without and with a reader.
#include "worker/link/request_queue.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

class RequestQueueTest : public testing::Test,
                         protected PushSocketUser,
                         protected RequestQueueUser {
 protected:
  void push_writable() override { queue->flush(); }
  void push_peers_changed() override { queue->flush(); }
  void push_peer_gone(PeerId, std::vector<PushMessage>& unsent) override {
    for (auto each = unsent.rbegin(); each != unsent.rend(); ++each)
      queue->put_back(*each, nullptr);
  }
  bool may_pass() const override { return may; }
  void emptied() override { ++emptied_count; }
  void passed(const Passed& message) override {
    passed_ids.emplace_back(message.id, message.kind == QueuedKind::kNotice);
  }
  void credits_void(ConnectionId id, bool) override { void_ids.push_back(id); }
  void expired(ConnectionId id, bool notice, bool) override {
    expired_ids.emplace_back(id, notice);
    if (on_expired) on_expired();
  }

  void SetUp() override {
    test::Listener listener = test::listen_tcp();
    endpoint = listener.endpoint;
    auto opened = PushSocket::open(turns.loop, turns.context,
                                   {.endpoint = endpoint, .send_mark = 0, .guarded = true}, *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    push = std::move(opened).value();
    ASSERT_TRUE(push->adopt(endpoint, std::move(listener.fd)).ok());
    make(100, 60'000);
  }
  void make(uint32_t count_max, uint32_t wait_ms, uint64_t bytes_max = 1 << 20) {
    RequestQueueUser& user = *this;
    const RequestQueue::Limits limits{count_max, bytes_max, wait_ms};
    queue = std::make_unique<RequestQueue>(turns.loop, *push, limits, user);
  }
  bool submit(ConnectionId id, bool notice = false) {
    const std::string text = std::to_string(id);
    ZmqMessage message(text.data(), text.size());
    return queue->submit(id, message, notice ? QueuedKind::kNotice : QueuedKind::kRequest);
  }
  bool submit_credits(ConnectionId id) {
    const std::string text = std::to_string(id) + "c";
    ZmqMessage message(text.data(), text.size());
    return queue->submit_following(id, message, QueuedKind::kCredits);
  }
  bool submit_following(ConnectionId id) {
    const std::string text = std::to_string(id) + "+";
    ZmqMessage message(text.data(), text.size());
    return queue->submit_following(id, message);
  }
  std::vector<std::string> receive(size_t count) {
    std::vector<std::string> texts;
    EXPECT_TRUE(turns.until([&] {
      while (auto text = test::receive_text(peer)) texts.push_back(*text);
      return texts.size() >= count;
    }));
    return texts;
  }

  test::Turns turns;
  std::string endpoint;
  std::unique_ptr<PushSocket> push;
  std::unique_ptr<RequestQueue> queue;
  zmq::context_t peer_context{1};
  zmq::socket_t peer{peer_context, ZMQ_PULL};
  bool may = true;
  int emptied_count = 0;
  std::vector<std::pair<ConnectionId, bool>> passed_ids, expired_ids;
  std::vector<ConnectionId> void_ids;
  std::function<void()> on_expired;
};

// Goal: what follows a request keeps its place; it goes with the request when that is taken back,
// and stays when the request has left.
TEST_F(RequestQueueTest, FollowsRequests) {
  EXPECT_TRUE(submit(1));
  EXPECT_FALSE(submit_following(1));
  EXPECT_TRUE(submit(2));
  EXPECT_FALSE(submit_following(2));
  EXPECT_FALSE(submit_following(3));
  EXPECT_TRUE(submit(3, true));
  EXPECT_FALSE(queue->holds(3));
  EXPECT_FALSE(queue->withdraw(3));
  EXPECT_TRUE(queue->withdraw(2));
  EXPECT_EQ(queue->size(), 4u);
  peer.connect(endpoint);
  EXPECT_EQ(receive(4), (std::vector<std::string>{"1", "1+", "3+", "3"}));
  EXPECT_EQ(emptied_count, 1);
  EXPECT_TRUE(submit_following(1));
}

// Goal: so many bytes may wait, however few the requests are; notices go by their number alone.
// What leaves, by whichever way, makes room.
TEST_F(RequestQueueTest, BoundsTheBytesToo) {
  make(100, 60'000, 4);
  EXPECT_TRUE(submit(10));
  EXPECT_FALSE(queue->full());
  EXPECT_TRUE(queue->crowded());
  EXPECT_FALSE(submit_following(10));
  EXPECT_TRUE(queue->full());
  EXPECT_FALSE(submit(11));
  EXPECT_EQ(queue->why_full(), "5 bytes of requests wait already (handler.queue_bytes)");
  EXPECT_TRUE(submit(12, true));
  EXPECT_TRUE(queue->withdraw(10));
  EXPECT_FALSE(queue->full());
  EXPECT_TRUE(submit(13));
  EXPECT_TRUE(queue->full());
  peer.connect(endpoint);
  EXPECT_EQ(receive(2), (std::vector<std::string>{"12", "13"}));
  EXPECT_FALSE(queue->full());
  EXPECT_FALSE(queue->crowded());
}

// Goal: credits outlive the limit of time and are nobody's refusal; what expires is the request
// behind them. The notice of their client makes them void.
TEST_F(RequestQueueTest, CreditsDoNotExpire) {
  make(100, 20);
  EXPECT_FALSE(submit_credits(1));
  EXPECT_FALSE(submit_credits(2));
  EXPECT_TRUE(submit(1));
  EXPECT_TRUE(turns.until([&] { return !expired_ids.empty(); }));
  EXPECT_EQ(expired_ids, (std::vector<std::pair<ConnectionId, bool>>{{1, false}}));
  EXPECT_EQ(queue->size(), 2u);
  EXPECT_TRUE(submit(2, true));
  EXPECT_EQ(void_ids, (std::vector<ConnectionId>{2}));
  queue->set_limits({100, 1 << 20, 60'000});
  peer.connect(endpoint);
  std::vector<std::string> texts = receive(1);
  EXPECT_TRUE(std::count(texts.begin(), texts.end(), "1c") == 1 || receive(1)[0] == "1c");
  EXPECT_EQ(expired_ids.size(), 1u);
}

// Goal: half of the queue is for requests; one that is late takes what follows it along.
TEST_F(RequestQueueTest, CrowdedAndLate) {
  make(4, 1);
  EXPECT_TRUE(submit(1));
  EXPECT_FALSE(queue->crowded());
  submit_following(1);
  EXPECT_TRUE(queue->crowded());
  EXPECT_TRUE(submit(2));
  EXPECT_TRUE(submit(3));
  EXPECT_FALSE(submit(4));
  EXPECT_TRUE(turns.until([&] { return expired_ids.size() == 3; }));
  EXPECT_EQ(queue->size(), 0u);
  EXPECT_EQ(emptied_count, 1);
}

TEST_F(RequestQueueTest, KeepsTheOrderOfRequestsAndNotices) {
  for (ConnectionId id = 1; id <= 5; ++id) EXPECT_TRUE(submit(id, id == 3));
  EXPECT_EQ(queue->size(), 5u);
  EXPECT_TRUE(passed_ids.empty());
  peer.connect(endpoint);
  EXPECT_EQ(receive(5), (std::vector<std::string>{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(queue->size(), 0u);
  ASSERT_EQ(passed_ids.size(), 5u);
  EXPECT_TRUE(passed_ids[2].second);
  EXPECT_FALSE(passed_ids[3].second);
}

TEST_F(RequestQueueTest, NothingOvertakesWhatWaits) {
  may = false;
  peer.connect(endpoint);
  EXPECT_TRUE(submit(1));
  may = true;
  EXPECT_TRUE(submit(2));
  EXPECT_EQ(queue->size(), 2u);
  queue->flush();
  EXPECT_EQ(receive(2), (std::vector<std::string>{"1", "2"}));
}

// What a handler that has gone never had comes before all that waits, in its order, for no longer
// than the oldest may wait.
TEST_F(RequestQueueTest, WhatComesBackIsFirst) {
  may = false;
  EXPECT_TRUE(submit(3));
  for (const ConnectionId id : {2, 1}) {
    const std::string text = std::to_string(id);
    PushMessage message{id, QueuedKind::kRequest, ZmqMessage(text.data(), text.size())};
    queue->put_back(message, nullptr);
  }
  EXPECT_EQ(queue->put_back_ids(), (std::vector<ConnectionId>{1, 2}));
  EXPECT_TRUE(queue->withdraw(2));
  may = true;
  peer.connect(endpoint);
  EXPECT_EQ(receive(2), (std::vector<std::string>{"1", "3"}));
  EXPECT_TRUE(queue->put_back_ids().empty());
}

TEST_F(RequestQueueTest, RefusesBeyondItsBoundAndKeepsNothingOfIt) {
  make(2, 60'000);
  EXPECT_TRUE(submit(1));
  EXPECT_TRUE(submit(2));
  EXPECT_TRUE(queue->full());
  ZmqMessage message("three", 5);
  EXPECT_FALSE(queue->submit(3, message, QueuedKind::kRequest));
  EXPECT_EQ(bytes_of(message), "three");
  EXPECT_TRUE(queue->withdraw(1));
  EXPECT_TRUE(submit(4));
  peer.connect(endpoint);
  EXPECT_EQ(receive(2), (std::vector<std::string>{"2", "4"}));
}

TEST_F(RequestQueueTest, WithdrawsRequestsButNotNotices) {
  EXPECT_FALSE(queue->withdraw(1));
  EXPECT_TRUE(submit(1, true));
  EXPECT_TRUE(submit(1));
  EXPECT_TRUE(queue->withdraw(1));
  EXPECT_FALSE(queue->withdraw(1));
  EXPECT_EQ(queue->size(), 1u);
}

TEST_F(RequestQueueTest, GivesBackWhatIsLate) {
  make(100, 30);
  EXPECT_TRUE(submit(1));
  EXPECT_TRUE(submit(2, true));
  EXPECT_TRUE(submit(3));
  ASSERT_TRUE(turns.until([&] { return expired_ids.size() == 3; }));
  EXPECT_EQ(expired_ids,
            (std::vector<std::pair<ConnectionId, bool>>{{1, false}, {2, true}, {3, false}}));
  EXPECT_EQ(queue->size(), 0u);
  EXPECT_TRUE(submit(4));  // and the next one is watched again
  EXPECT_TRUE(turns.until([&] { return expired_ids.size() == 4; }));
}

// Goal: a shorter wait holds at once, for what waits and for what comes. Method: from a minute to
// nothing, also when all that the minute was for has left.
TEST_F(RequestQueueTest, AShorterWaitHoldsAtOnce) {
  may = false;
  EXPECT_TRUE(submit(1));
  queue->set_limits({100, 1 << 20, 1});
  EXPECT_TRUE(submit(2));
  const std::vector<std::pair<ConnectionId, bool>> both = {{1, false}, {2, false}};
  EXPECT_TRUE(turns.until([&] { return expired_ids.size() == 2; }));
  EXPECT_EQ(expired_ids, both);
  make(100, 60'000);
  EXPECT_TRUE(submit(3));
  EXPECT_TRUE(queue->withdraw(3));
  queue->set_limits({100, 1 << 20, 1});
  EXPECT_TRUE(submit(4));
  EXPECT_TRUE(turns.until([&] { return expired_ids.size() == 3; }));
}

TEST_F(RequestQueueTest, MayBeDestroyedByALateRequest) {
  make(100, 1);
  EXPECT_TRUE(submit(1));
  EXPECT_TRUE(submit(2));
  on_expired = [&] { queue.reset(); };
  ASSERT_TRUE(turns.until([&] { return queue == nullptr; }));
  EXPECT_EQ(expired_ids.size(), 1u);
}

}  // namespace
}  // namespace m2
