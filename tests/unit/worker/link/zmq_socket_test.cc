// Goal: no message is lost, doubled or left lying, however libzmq signals it. Method: real sockets
// over loopback, events instead of pauses.
#include "worker/link/zmq_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

using test::listen_ipc;
using test::listen_tcp;
using test::receive_text;
using test::send_text;

class Recorder final : public ZmqSocketUser {
 public:
  void zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message,
                   bool multipart) override {
    texts.emplace_back(bytes_of(*message));
    if (multipart) ++multiparts;
    if (keep) kept.push_back(message);
    if (on_message) on_message(socket);
  }
  void zmq_writable(ZmqSocket&) override { ++writable; }

  std::vector<std::string> texts;
  std::vector<std::shared_ptr<ZmqMessage>> kept;
  std::function<void(ZmqSocket&)> on_message;
  bool keep = false;
  int multiparts = 0;
  int writable = 0;
};

class ZmqSocketTest : public testing::Test {
 protected:
  std::unique_ptr<ZmqSocket> open(ZmqKind kind, const ZmqSocketOptions& options) {
    auto socket = ZmqSocket::open(turns.loop, turns.context, kind, options, user);
    EXPECT_TRUE(socket.ok()) << socket.message();
    return std::move(socket).value();
  }
  // A bound socket of ours and a plain one that connects to it.
  std::unique_ptr<ZmqSocket> open_with_peer(ZmqKind kind, const ZmqSocketOptions& options = {},
                                            int peer_mark = 0) {
    auto socket = open(kind, options);
    test::Listener listener = listen_tcp();
    EXPECT_TRUE(socket->adopt(listener.endpoint, std::move(listener.fd)).ok());
    const bool receives = kind == ZmqKind::kPull;
    peer = zmq::socket_t(peer_context, receives ? ZMQ_PUSH : ZMQ_PULL);
    peer.set(zmq::sockopt::linger, 0);
    peer.set(zmq::sockopt::sndhwm, peer_mark);
    peer.set(zmq::sockopt::rcvhwm, peer_mark);
    peer.connect(listener.endpoint);
    return socket;
  }

  test::Turns turns;
  Recorder user;
  zmq::context_t peer_context{1};
  zmq::socket_t peer;
};

// One edge for a thousand messages: all must come, in order, and never too many in one turn.
TEST_F(ZmqSocketTest, DeliversAllOfABurstInBoundedTurns) {
  auto socket = open_with_peer(ZmqKind::kPull, {.recv_mark = 0});
  for (int i = 0; i < 3000; ++i) send_text(peer, std::to_string(i));
  unsigned turn = 0, in_turn = 0, most = 0;
  user.on_message = [&](ZmqSocket&) {
    in_turn = turns.loop.turn() == turn ? in_turn + 1 : 1;
    turn = turns.loop.turn();
    most = std::max(most, in_turn);
  };
  socket->set_reading(true);
  ASSERT_TRUE(turns.until([&] { return user.texts.size() == 3000; }));
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(user.texts[static_cast<size_t>(i)], std::to_string(i));
  EXPECT_LE(most, 256u);
}

TEST_F(ZmqSocketTest, ReportsMultipartOnceAndGoesOn) {
  auto socket = open_with_peer(ZmqKind::kPull);
  socket->set_reading(true);
  peer.send(zmq::str_buffer("first"), zmq::send_flags::sndmore);
  peer.send(zmq::str_buffer("second"), zmq::send_flags::sndmore);
  peer.send(zmq::str_buffer("third"));
  peer.send(zmq::str_buffer("alone"));
  ASSERT_TRUE(turns.until([&] { return user.texts.size() == 2; }));
  EXPECT_EQ(user.texts, (std::vector<std::string>{"first", "alone"}));
  EXPECT_EQ(user.multiparts, 1);
}

// A short message lives inside its zmq_msg_t, a long one outside: neither may move or change.
TEST_F(ZmqSocketTest, KeptMessagesStayWhereTheyAre) {
  auto socket = open_with_peer(ZmqKind::kPull);
  socket->set_reading(true);
  user.keep = true;
  std::vector<std::string> sent;
  for (size_t size : {1u, 20u, 33u, 34u, 500u, 100'000u}) {
    sent.emplace_back(size, static_cast<char>('a' + sent.size()));
    send_text(peer, sent.back());
  }
  ASSERT_TRUE(turns.until([&] { return user.kept.size() == sent.size(); }));
  for (size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(bytes_of(*user.kept[i]), sent[i]);
}

TEST_F(ZmqSocketTest, SaysWhenAPeerComesToSendTo) {
  auto socket = open(ZmqKind::kPush, {.send_mark = 10});
  ZmqMessage message("hello", 5);
  EXPECT_FALSE(socket->send(message));
  EXPECT_EQ(bytes_of(message), "hello");
  test::Listener listener = listen_tcp();
  ASSERT_TRUE(socket->adopt(listener.endpoint, std::move(listener.fd)).ok());
  zmq::socket_t pull(peer_context, ZMQ_PULL);
  pull.connect(listener.endpoint);
  int seen = 0;
  ASSERT_TRUE(turns.until([&] {
    return std::exchange(seen, user.writable) != user.writable && socket->send(message);
  }));
  std::optional<std::string> received;
  ASSERT_TRUE(turns.until([&] { return (received = receive_text(pull)).has_value(); }));
  EXPECT_EQ(*received, "hello");
}

// A reader that stops fills us up; when it goes on, every message comes, once and in order.
TEST_F(ZmqSocketTest, LosesNothingAgainstASlowReader) {
  auto socket = open_with_peer(ZmqKind::kPush, {.send_mark = 4}, 4);
  const std::string filler(10'000, 'x');
  int sent = 0, received = 0;
  const auto send_more = [&] {
    while (sent < 400) {
      const std::string text = std::to_string(sent) + ' ' + filler;
      ZmqMessage message(text.data(), text.size());
      if (!socket->send(message)) return;
      ++sent;
    }
  };
  int seen = -1;
  ASSERT_TRUE(turns.until([&] {
    send_more();
    return sent > 0 && std::exchange(seen, user.writable) == user.writable;
  }));
  EXPECT_LT(sent, 400);  // it is full
  ASSERT_TRUE(turns.until([&] {
    if (std::exchange(seen, user.writable) != user.writable) send_more();
    while (const auto text = receive_text(peer)) {
      EXPECT_EQ(text->substr(0, text->find(' ')), std::to_string(received));
      ++received;
    }
    return received == 400;
  }));
}

TEST_F(ZmqSocketTest, PausesAndTakesUpAgain) {
  auto socket = open_with_peer(ZmqKind::kPull, {.recv_mark = 0});
  user.on_message = [&](ZmqSocket& self) {
    if (user.texts.size() == 5) self.set_reading(false);
  };
  socket->set_reading(true);
  for (int i = 0; i < 20; ++i) send_text(peer, std::to_string(i));
  ASSERT_TRUE(turns.until([&] { return user.texts.size() >= 5; }));
  for (int i = 0; i < 20; ++i) turns.loop.run_once();
  EXPECT_EQ(user.texts.size(), 5u);
  socket->set_reading(true);  // whatever edge there was has passed
  EXPECT_TRUE(turns.until([&] { return user.texts.size() == 20; }));
}

TEST_F(ZmqSocketTest, MayBeDestroyedByItsOwnMessage) {
  auto socket = open_with_peer(ZmqKind::kPull);
  std::string_view seen;
  user.keep = true;
  user.on_message = [&](ZmqSocket&) {
    socket.reset();
    seen = bytes_of(*user.kept.back());
  };
  socket->set_reading(true);
  send_text(peer, "last");
  send_text(peer, "too late");
  ASSERT_TRUE(turns.until([&] { return socket == nullptr; }));
  EXPECT_EQ(seen, "last");
  EXPECT_EQ(user.texts.size(), 1u);
}

// The master and another process hold the same listening socket: accept must never wait.
TEST_F(ZmqSocketTest, AdoptsListeningSocketsWithoutBlocking) {
  test::TempDir directory;
  for (const bool tcp : {true, false}) {
    test::Listener listener = tcp ? listen_tcp() : listen_ipc(directory.ipc("s"));
    OwnedFd masters = listener.fd.duplicate();
    ASSERT_EQ(::fcntl(masters.get(), F_GETFL) & O_NONBLOCK, 0);
    auto socket = open(ZmqKind::kPull, {});
    ASSERT_TRUE(socket->adopt(listener.endpoint, std::move(listener.fd)).ok());
    EXPECT_NE(::fcntl(masters.get(), F_GETFL) & O_NONBLOCK, 0);
    // The socket serves, and goes, without touching what the master has.
    zmq::socket_t push(peer_context, ZMQ_PUSH);
    push.connect(listener.endpoint);
    push.send(zmq::str_buffer("x"));
    user.texts.clear();
    socket->set_reading(true);
    ASSERT_TRUE(turns.until([&] { return user.texts.size() == 1; }));
    socket.reset();
    int listening = 0;
    socklen_t size = sizeof listening;
    ASSERT_EQ(::getsockopt(masters.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
    EXPECT_EQ(listening, 1);
  }
  EXPECT_TRUE(std::filesystem::exists(directory.file("s")));
}

TEST_F(ZmqSocketTest, NamesTheEndpointItCannotHave) {
  auto socket = open(ZmqKind::kPull, {});
  test::Listener listener = listen_tcp();
  const Status status = socket->adopt("pigeon://nest", std::move(listener.fd));
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("pigeon://nest"), std::string::npos);
}

}  // namespace
}  // namespace m2
