// Goal: requests pass only while somebody can answer them, and the first answer of a handler that
// has just started is heard. Method: real handlers over loopback, many starts.
#include "worker/link/peer_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

class PeerGateTest : public testing::Test,
                     protected PushSocketUser,
                     protected ZmqSocketUser,
                     protected PeerGateUser {
 protected:
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool) override {
    heard.emplace_back(bytes_of(*message));
  }
  void push_writable() override {}
  void push_peers_changed() override {
    if (gate) gate->peers_changed();
  }
  void gate_changed() override { ++changes; }

  void SetUp() override { begin(test::listen_tcp(), test::listen_tcp()); }
  void begin(test::Listener send, test::Listener recv) {
    gate.reset();
    auto push =
        PushSocket::open(turns.loop, turns.context,
                         {.endpoint = send.endpoint, .send_mark = 0, .guarded = true}, *this);
    ASSERT_TRUE(push.ok()) << push.message();
    requests = std::move(push).value();
    replies = open(ZmqKind::kSub);
    replies->subscribe("");
    auto opened = PeerGate::open(turns.loop, turns.context, *requests, replies.get(), *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    gate = std::move(opened).value();
    send_spec = send.endpoint;
    recv_spec = recv.endpoint;
    ASSERT_TRUE(requests->adopt(send_spec, std::move(send.fd)).ok());
    ASSERT_TRUE(replies->adopt(recv_spec, std::move(recv.fd)).ok());
    replies->set_reading(true);
  }
  std::unique_ptr<ZmqSocket> open(ZmqKind kind) {
    auto opened = ZmqSocket::open(turns.loop, turns.context, kind, {.send_mark = 0}, *this);
    EXPECT_TRUE(opened.ok()) << opened.message();
    return std::move(opened).value();
  }

  test::Turns turns;
  std::string send_spec, recv_spec;
  std::unique_ptr<PushSocket> requests;
  std::unique_ptr<ZmqSocket> replies;
  std::unique_ptr<PeerGate> gate;
  std::vector<std::string> heard;
  int changes = 0;
};

TEST_F(PeerGateTest, OpensForBothSocketsOnlyAndClosesWithTheLastHandler) {
  EXPECT_FALSE(gate->open());
  zmq::context_t context{1};
  zmq::socket_t pull(context, ZMQ_PULL);
  pull.connect(send_spec);
  ASSERT_TRUE(turns.until([&] { return gate->request_peers() == 1; }));
  EXPECT_FALSE(gate->open());
  EXPECT_FALSE(gate->has_peers());
  {
    zmq::socket_t pub(context, ZMQ_PUB);
    pub.connect(recv_spec);
    ASSERT_TRUE(turns.until([&] { return gate->open(); }));
    EXPECT_TRUE(gate->has_peers());
    const int before = changes;
    pub.close();
    ASSERT_TRUE(turns.until([&] { return !gate->open(); }));
    EXPECT_GT(changes, before);
  }
  EXPECT_EQ(gate->request_peers(), 1u);
  zmq::socket_t pub(context, ZMQ_PUB);
  pub.connect(recv_spec);
  EXPECT_TRUE(turns.until([&] { return gate->open(); }));
}

// While a second handler is only half connected, nothing passes that might reach it.
TEST_F(PeerGateTest, HoldsForASecondHandlerThatIsHalfThere) {
  test::HandlerPeer first(send_spec, recv_spec);
  ASSERT_TRUE(turns.until([&] { return gate->open(); }));
  zmq::context_t context{1};
  zmq::socket_t sharer(context, ZMQ_PULL);
  sharer.connect(send_spec);
  const double joined = turns.loop.now();
  ASSERT_TRUE(turns.until([&] { return gate->request_peers() == 2; }));
  EXPECT_TRUE(gate->has_peers());
  EXPECT_FALSE(gate->open());
  // It shares the reply socket of the first and never brings its own: the gate opens all the same.
  ASSERT_TRUE(turns.until([&] { return gate->open(); }));
  // Those that come soon after are let in at once: the first would have to wait for each of them.
  zmq::socket_t another(context, ZMQ_PULL);
  another.connect(send_spec);
  const int before = changes;
  ASSERT_TRUE(turns.until([&] { return gate->request_peers() == 3; }));
  if (turns.loop.now() - joined < 0.9) {
    EXPECT_TRUE(gate->open());
    EXPECT_EQ(changes, before + 1);  // that there is one more
  }
}

// The PUB socket of a handler, byte by byte: its handshake, and what it reads when it is told to.
class RawPublisher {
 public:
  explicit RawPublisher(const std::string& endpoint) : socket_(test::connect_ipc(endpoint)) {
    const std::string greeting =
        std::string("\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL", 16) + std::string(48, '\0');
    const std::string ready("\4\x19\5READY\x0bSocket-Type\0\0\0\3PUB", 27);
    EXPECT_EQ(::send(socket_.get(), (greeting + ready).data(), 91, 0), 91);
  }
  // True when it has read our subscription, the last thing that is sent to it.
  bool reads() {
    char more[1024];
    const ssize_t count = ::recv(socket_.get(), more, sizeof more, MSG_DONTWAIT);
    if (count > 0) read_.append(more, static_cast<size_t>(count));
    return read_.size() > 64 && read_.ends_with(std::string("\0\1\1", 3));
  }

 private:
  const OwnedFd socket_;
  std::string read_;
};

// Where the system tells whether a peer has read what came: a handler that stands still just after
// its handshake has not read our subscription, and would drop its first answer.
TEST_F(PeerGateTest, WaitsUntilItsSubscriptionIsRead) {
  const test::TempDir directory;
  begin(test::listen_ipc(directory.ipc("send")), test::listen_ipc(directory.ipc("recv")));
  zmq::context_t context{1};
  zmq::socket_t pull(context, ZMQ_PULL);
  pull.connect(send_spec);
  RawPublisher handler(recv_spec);
  ASSERT_TRUE(turns.until([&] { return gate->has_peers(); }));
  const double joined = turns.loop.now();
  ASSERT_TRUE(turns.until([&] { return turns.loop.now() > joined + 0.1; }));
  if (turns.loop.now() < joined + 0.9) {
    EXPECT_FALSE(gate->open());
  }
  ASSERT_TRUE(turns.until([&] { return handler.reads(); }));
  EXPECT_TRUE(turns.until([&] { return gate->open(); }));
}

// One that hangs then is waited for once: who comes after it is let in when it has read its own.
TEST_F(PeerGateTest, WaitsOnceForOneThatNeverReads) {
  const test::TempDir directory;
  begin(test::listen_ipc(directory.ipc("send")), test::listen_ipc(directory.ipc("recv")));
  zmq::context_t context{1};
  zmq::socket_t pull(context, ZMQ_PULL);
  pull.connect(send_spec);
  const RawPublisher hangs(recv_spec);
  ASSERT_TRUE(turns.until([&] { return gate->open(); }));
  RawPublisher healthy(recv_spec);
  ASSERT_TRUE(turns.until([&] { return gate->reply_peers() == 2 && healthy.reads(); }));
  const double read = turns.loop.now();
  ASSERT_TRUE(turns.until([&] { return turns.loop.now() > read + 0.1; }));
  EXPECT_TRUE(gate->open());
}

// The slow joiner: a stock PUB answers the first request at once. No answer may be lost in any
// start.
TEST_F(PeerGateTest, HearsTheFirstAnswerOfEveryStart) {
  constexpr int kStarts = 40;
  for (int start = 0; start < kStarts; ++start) {
    std::thread handler([&] {
      test::HandlerPeer peer(send_spec, recv_spec);
      peer.replies.set(zmq::sockopt::linger, 1000);
      zmq::message_t request;
      ASSERT_TRUE(peer.requests.recv(request));
      peer.replies.send(request, zmq::send_flags::none);
    });
    const std::string text = "start " + std::to_string(start);
    bool sent = false;
    const bool answered = turns.until([&] {
      ZmqMessage message(text.data(), text.size());
      if (!sent && gate->open()) sent = requests->say(message);
      return !heard.empty() && heard.back() == text;
    });
    handler.join();
    ASSERT_TRUE(answered) << text;
    ASSERT_TRUE(turns.until([&] { return !gate->has_peers(); }));
  }
  EXPECT_EQ(heard.size(), static_cast<size_t>(kStarts));
}

// Several handlers start at once, each with its request socket first: no request is lost to one
// that cannot be heard yet. Method: requests flow all the time; every one is answered, and all
// handlers have taken part.
TEST_F(PeerGateTest, HearsAllAnswersOfHandlersThatStartTogether) {
  constexpr size_t kRounds = 5, kHandlers = 4;
  for (size_t round = 0; round < kRounds; ++round) {
    std::atomic<bool> done = false;
    std::atomic<size_t> busy = 0;  // handlers that have had a request
    std::vector<std::thread> handlers;
    for (size_t i = 0; i < kHandlers; ++i) {
      handlers.emplace_back([&, i] {
        zmq::context_t context{1};
        zmq::socket_t pull(context, ZMQ_PULL), pub(context, ZMQ_PUB);
        pull.set(zmq::sockopt::rcvtimeo, 10);
        pull.connect(send_spec);
        std::this_thread::sleep_for(std::chrono::milliseconds(5 * i));
        pub.connect(recv_spec);
        zmq::message_t request;
        for (bool first = true; !done;) {
          if (!pull.recv(request)) continue;
          pub.send(request, zmq::send_flags::none);
          busy += std::exchange(first, false) ? 1 : 0;
        }
      });
    }
    heard.clear();
    size_t sent = 0;
    const bool answered = turns.until([&] {
      const bool all_busy = busy == kHandlers;
      for (; gate->open() && !all_busy && sent < heard.size() + 20; ++sent) {
        ZmqMessage message("request", 7);
        if (!requests->say(message)) break;
      }
      return all_busy && heard.size() == sent;
    });
    done = true;
    for (std::thread& handler : handlers) handler.join();
    ASSERT_TRUE(answered) << "round " << round << ": sent " << sent << ", heard " << heard.size();
    ASSERT_TRUE(turns.until([&] { return !gate->has_peers(); }));
  }
}

}  // namespace
}  // namespace m2
