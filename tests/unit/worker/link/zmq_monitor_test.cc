// Goal: the number of peers is right whatever order libzmq reports things in, and never too small.
// Method: sequences of events by hand, then real peers, good and wrong ones.
#include "worker/link/zmq_monitor.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

TEST(PeerCountTest, CountsFromHandshakeToEnd) {
  PeerCount count;
  count.began(5);
  EXPECT_EQ(count.peers(), 0u);
  count.handshaken();
  EXPECT_EQ(count.peers(), 1u);
  count.began(6);
  count.handshaken();
  EXPECT_EQ(count.peers(), 2u);
  count.ended(5);
  EXPECT_EQ(count.peers(), 1u);
  count.ended(6);
  EXPECT_EQ(count.peers(), 0u);
}

TEST(PeerCountTest, AConnectionThatNeverWasAPeerTakesNobodyAway) {
  PeerCount count;
  count.began(5);
  count.handshaken();
  for (int fd = 6; fd < 20; ++fd) {
    count.began(fd);
    count.ended(fd);
  }
  EXPECT_EQ(count.peers(), 1u);
}

// Two connections begin together and one handshake succeeds: libzmq does not say whose.
TEST(PeerCountTest, SettlesWhichOfSeveralItWas) {
  PeerCount first_fails;
  first_fails.began(5);
  first_fails.began(6);
  first_fails.handshaken();
  EXPECT_EQ(first_fails.peers(), 1u);
  first_fails.ended(5);
  EXPECT_EQ(first_fails.peers(), 1u);
  first_fails.ended(6);
  EXPECT_EQ(first_fails.peers(), 0u);

  PeerCount both_succeed;
  both_succeed.began(5);
  both_succeed.began(6);
  both_succeed.handshaken();
  both_succeed.handshaken();
  EXPECT_EQ(both_succeed.peers(), 2u);
  both_succeed.ended(5);
  EXPECT_EQ(both_succeed.peers(), 1u);
}

// With several I/O threads a handshake may be reported before its connection.
TEST(PeerCountTest, TakesAHandshakeThatIsReportedFirst) {
  PeerCount count;
  count.handshaken();
  count.began(5);
  EXPECT_EQ(count.peers(), 1u);
  count.ended(5);
  EXPECT_EQ(count.peers(), 0u);
}

TEST(PeerCountTest, ReusedDescriptorsAreNewConnections) {
  PeerCount count;
  for (int round = 0; round < 3; ++round) {
    count.began(5);
    count.handshaken();
    EXPECT_EQ(count.peers(), 1u);
    count.ended(5);
    EXPECT_EQ(count.peers(), 0u);
  }
}

class ZmqMonitorTest : public testing::Test, protected ZmqSocketUser, protected ZmqMonitorUser {
 protected:
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>&, bool) override {}
  void peers_changed() override {
    ++events;
    socket->service();
  }

  void SetUp() override {
    auto opened = ZmqSocket::open(turns.loop, turns.context, ZmqKind::kSub, {}, *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    socket = std::move(opened).value();
    auto watched = ZmqMonitor::open(turns.loop, turns.context, *socket, *this);
    ASSERT_TRUE(watched.ok()) << watched.message();
    monitor = std::move(watched).value();
    test::Listener listener = test::listen_tcp();
    endpoint = listener.endpoint;
    ASSERT_TRUE(socket->adopt(endpoint, std::move(listener.fd)).ok());
  }

  test::Turns turns;
  std::string endpoint;
  std::unique_ptr<ZmqSocket> socket;
  std::unique_ptr<ZmqMonitor> monitor;
  zmq::context_t peer_context{1};
  int events = 0;
};

TEST_F(ZmqMonitorTest, SeesPeersComeAndGo) {
  {
    zmq::socket_t first(peer_context, ZMQ_PUB);
    first.connect(endpoint);
    ASSERT_TRUE(turns.until([&] { return monitor->peers() == 1; }));
    zmq::socket_t second(peer_context, ZMQ_PUB);
    second.connect(endpoint);
    ASSERT_TRUE(turns.until([&] { return monitor->peers() == 2; }));
  }
  EXPECT_TRUE(turns.until([&] { return monitor->peers() == 0; }));
}

// A handler with its two endpoints swapped comes again and again; a stranger speaks no ZMTP at all.
TEST_F(ZmqMonitorTest, WrongPeersDoNotCountAndTakeNobodyAway) {
  zmq::socket_t good(peer_context, ZMQ_PUB);
  good.connect(endpoint);
  ASSERT_TRUE(turns.until([&] { return monitor->peers() == 1; }));

  size_t least = 1;
  for (int round = 0; round < 10; ++round) {
    const int before = events;
    zmq::socket_t wrong(peer_context, ZMQ_PULL);
    wrong.connect(endpoint);
    ASSERT_TRUE(turns.until([&] {
      least = std::min(least, monitor->peers());
      return events >= before + 2;
    }));
  }
  EXPECT_EQ(least, 1u);

  const int port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  OwnedFd stranger(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::send(stranger.get(), "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
  stranger.reset();
  const int after = events;
  ASSERT_TRUE(turns.until([&] { return events >= after + 2; }));
  good.close();
  EXPECT_TRUE(turns.until([&] { return monitor->peers() == 0; }));
}

}  // namespace
}  // namespace m2
