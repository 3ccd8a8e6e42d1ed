// Goal: our own PUSH socket gives whole messages to libzmq's PULL sockets in fair turns, knows who
// got what, hands back what nobody got, and lets no stranger in its way. Method: real PULL sockets,
// and peers that speak ZMTP byte by byte.
#include "worker/link/zmtp_push.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>

#include "proto/zmtp/command.h"
#include "proto/zmtp/greeting.h"
#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

using Kind = QueuedKind;

// A peer that reads only when it is told to.
class RawPeer {
 public:
  explicit RawPeer(const std::string& endpoint, std::string_view type = "PULL")
      : socket_(test::connect_ipc(endpoint)) {
    say(zmtp_greeting());
    say(zmtp_command_frame(zmtp_ready(type)));
  }
  void say(std::string_view bytes) {
    EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // All that has come so far.
  const std::string& read() {
    char more[4096];
    for (ssize_t count; (count = ::recv(socket_.get(), more, sizeof more, MSG_DONTWAIT)) != -1;) {
      ended = count == 0;
      if (ended) break;
      read_.append(more, static_cast<size_t>(count));
    }
    return read_;
  }
  // Of what has been read, behind the handshake.
  std::vector<std::string> messages() const {
    std::vector<std::string> found;
    std::string_view left = read_;
    left.remove_prefix(std::min(left.size(), kZmtpGreetingBytes));
    while (true) {
      const ZmtpFrame frame = read_zmtp_frame(left, 1 << 20);
      if (frame.state != ZmtpFrame::State::kComplete) return found;
      if (!frame.command) found.emplace_back(frame.body);
      left.remove_prefix(frame.bytes);
    }
  }
  void close() { socket_.reset(); }
  bool ended = false;

 private:
  OwnedFd socket_;
  std::string read_;
};

class ZmtpPushTest : public testing::Test, protected PushSocketUser {
 protected:
  void push_writable() override { ++writable; }
  void push_peers_changed() override { ++changes; }
  void push_peer_gone(PeerId peer, std::vector<PushMessage>& unsent) override {
    gone.push_back(peer);
    for (const PushMessage& message : unsent) back.emplace_back(bytes_of(message.bytes));
  }

  void SetUp() override { open(64); }
  void open(uint32_t send_mark) {
    push.reset();
    endpoint = directory.ipc("q" + std::to_string(++opened_));
    auto made =
        PushSocket::open(turns.loop, turns.context,
                         {.endpoint = endpoint, .send_mark = send_mark, .guarded = true}, *this);
    ASSERT_TRUE(made.ok()) << made.message();
    push = std::move(made).value();
    ASSERT_TRUE(push->adopt(endpoint, test::listen_ipc(endpoint).fd).ok());
  }
  PushSocket::Sent send(std::string_view text, Kind kind = Kind::kRequest,
                        PeerId likely = kUnknownPeer) {
    ZmqMessage message(text.data(), text.size());
    return push->send(1, kind, message, likely);
  }
  zmq::socket_t pull() {
    zmq::socket_t socket(peer_context, ZMQ_PULL);
    socket.set(zmq::sockopt::linger, 0);
    const size_t before = push->peers();
    socket.connect(endpoint);
    EXPECT_TRUE(turns.until([&] { return push->peers() == before + 1; }));
    return socket;
  }
  std::vector<std::string> receive(zmq::socket_t& socket, size_t count) {
    std::vector<std::string> texts;
    EXPECT_TRUE(turns.until([&] {
      while (auto text = test::receive_text(socket)) texts.push_back(*text);
      return texts.size() >= count;
    }));
    return texts;
  }
  // Sends until nobody has room; how many were taken.
  size_t fill(const std::string& text) {
    size_t taken = 0;
    while (send(text + std::to_string(taken)).taken) ++taken;
    return taken;
  }

  test::Turns turns;
  test::TempDir directory;
  std::string endpoint;
  std::unique_ptr<PushSocket> push;
  zmq::context_t peer_context{1};
  int writable = 0, changes = 0;
  std::vector<PeerId> gone;
  std::vector<std::string> back;

 private:
  int opened_ = 0;
};

TEST_F(ZmtpPushTest, MessagesOfEverySizeArriveInOrder) {
  EXPECT_FALSE(send("nobody is there").taken);
  zmq::socket_t peer = pull();
  EXPECT_EQ(writable, 1);
  std::vector<std::string> expected;
  for (const size_t size : {0u, 1u, 255u, 256u, 8192u, 3'000'000u, 5u}) {
    expected.emplace_back(size, 'x');
    EXPECT_TRUE(send(expected.back()).taken);
  }
  EXPECT_EQ(receive(peer, expected.size()), expected);
  EXPECT_EQ(push->unsent(), 0u);
}

TEST_F(ZmtpPushTest, RequestsTakeTurnsAndNoticesDoNot) {
  zmq::socket_t one = pull(), two = pull();
  std::map<PeerId, int> requests, notices;
  for (int i = 0; i < 60; ++i) {
    const PeerId had = send("request").peer;
    ++requests[had];
    EXPECT_EQ(send("notice", Kind::kNotice, had).peer, had);
    ++notices[send("notice", Kind::kNotice).peer];
  }
  ASSERT_EQ(requests.size(), 2u);
  for (const auto& [peer, count] : requests) EXPECT_EQ(count, 30);
  EXPECT_EQ(receive(one, 60).size() + receive(two, 60).size(), 180u);
}

TEST_F(ZmtpPushTest, WhoOwesLeastIsNext) {
  zmq::socket_t one = pull(), two = pull();
  const PeerId busy = send("first").peer;
  push->owes(busy, 2);
  PeerId other = kUnknownPeer;
  for (int i = 0; i < 2; ++i) {
    other = send("next").peer;
    EXPECT_NE(other, busy);
    push->owes(other, 1);
  }
  push->owes(busy, -2);
  EXPECT_EQ(send("again").peer, busy);
  push->owes(other + 1'000'000, 5);  // nobody
}

// What the system has not taken is nobody's yet.
TEST_F(ZmtpPushTest, HandsBackWhatItsPeerNeverHad) {
  open(8);
  RawPeer peer(endpoint);
  ASSERT_TRUE(turns.until([&] { return push->peers() == 1; }));
  const size_t taken = fill(std::string(20'000, 'x'));
  EXPECT_EQ(push->unsent(), 8u);
  peer.read();
  const size_t had = peer.messages().size();
  peer.close();
  ASSERT_TRUE(turns.until([&] { return !gone.empty(); }));
  EXPECT_EQ(push->peers(), 0u);
  EXPECT_EQ(had + back.size(), taken);
  for (size_t i = 0; i < back.size(); ++i) {
    EXPECT_TRUE(back[i].ends_with("x" + std::to_string(had + i)));
  }
}

TEST_F(ZmtpPushTest, SaysWhenThereIsRoomAgain) {
  open(4);
  RawPeer peer(endpoint);
  ASSERT_TRUE(turns.until([&] { return push->peers() == 1; }));
  const size_t taken = fill(std::string(20'000, 'x'));
  writable = 0;
  ASSERT_TRUE(turns.until([&] {
    peer.read();
    return writable == 1;
  }));
  EXPECT_TRUE(send("more").taken);
  ASSERT_TRUE(turns.until([&] {
    peer.read();
    return peer.messages().size() == taken + 1;
  }));
}

// A stuck peer costs what it holds: everything else goes to its neighbour.
TEST_F(ZmtpPushTest, AStuckPeerHoldsNoMoreThanItsMark) {
  open(4);
  RawPeer stuck(endpoint);
  ASSERT_TRUE(turns.until([&] { return push->peers() == 1; }));
  fill(std::string(20'000, 'x'));
  zmq::socket_t healthy = pull();
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(turns.until([&] { return send("y").taken; }));
  }
  EXPECT_EQ(receive(healthy, 200).size(), 200u);
  EXPECT_EQ(push->unsent(), 4u);
}

TEST_F(ZmtpPushTest, PingsAreAnsweredBetweenMessages) {
  RawPeer peer(endpoint);
  ASSERT_TRUE(turns.until([&] { return push->peers() == 1; }));
  EXPECT_TRUE(send("one").taken);
  peer.say(zmtp_command_frame(std::string("\4PING\0\1context", 14)));
  peer.say(std::string("\0\5words", 7));  // nobody asked for it
  const std::string pong = zmtp_command_frame(zmtp_pong("context"));
  ASSERT_TRUE(turns.until([&] { return peer.read().find(pong) != std::string::npos; }));
  EXPECT_TRUE(send("two").taken);
  ASSERT_TRUE(turns.until([&] {
    peer.read();
    return peer.messages() == std::vector<std::string>{"one", "two"};
  }));
}

TEST_F(ZmtpPushTest, WrongPeersAreLetGoAndTakeNobodyAway) {
  zmq::socket_t good = pull();
  RawPeer swapped(endpoint, "PUB");
  ASSERT_TRUE(turns.until([&] { return swapped.read().size() > 64 && swapped.ended; }));
  EXPECT_NE(swapped.read().find("ERROR"), std::string::npos);
  const std::string greeting(zmtp_greeting());
  for (const std::string& text :
       {std::string("GET / HTTP/1.0\r\n\r\n"),
        std::string("\xff\0\0\0\0\0\0\0\1\x7f\1\x08\0\0", 14),
        greeting + std::string("\0\5hello", 7), greeting + std::string("\xff"),
        greeting + zmtp_command_frame("\4PING")}) {
    OwnedFd stranger = test::connect_ipc(endpoint);
    ASSERT_EQ(::send(stranger.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    ASSERT_TRUE(turns.until([&] {
      char bytes[256];
      const ssize_t count = ::recv(stranger.get(), bytes, sizeof bytes, MSG_DONTWAIT);
      return count == 0 || (count < 0 && errno == ECONNRESET);
    })) << text;
  }
  EXPECT_EQ(push->peers(), 1u);
  EXPECT_TRUE(send("still here").taken);
  EXPECT_EQ(receive(good, 1)[0], "still here");
  EXPECT_TRUE(gone.empty());
}

TEST_F(ZmtpPushTest, SilentConnectionsKeepNobodyOut) {
  std::vector<OwnedFd> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(test::connect_ipc(endpoint));
    turns.loop.run_once();
  }
  zmq::socket_t peer = pull();
  EXPECT_TRUE(send("hello").taken);
  EXPECT_EQ(receive(peer, 1)[0], "hello");
}

TEST_F(ZmtpPushTest, WaitsForADescriptor) {
  RawPeer peer(endpoint);
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit none{3, files.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const unsigned begin = turns.loop.turn();
  const double from = turns.loop.now();
  EXPECT_TRUE(turns.until([&] { return turns.loop.now() > from + 0.05; }));
  EXPECT_LT(turns.loop.turn() - begin, 100u);  // it does not spin
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_TRUE(turns.until([&] { return push->peers() == 1; }));
}

}  // namespace
}  // namespace m2
