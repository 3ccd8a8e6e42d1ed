// Goal: a WebSocket passes through: only when the client asked and the backend agreed, every byte
// both ways, bounded, and with an end. Method: proxy_fixture.h; the bytes need not be WebSocket.
#include <gtest/gtest.h>

#include "tests/unit/worker/target/proxy_fixture.h"

namespace m2 {
namespace {

constexpr std::string_view kAsk =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
constexpr std::string_view kAgree =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

class ProxyTunnelTest : public ProxyTest {
 protected:
  void open(int buffers = 0) {
    configure();
    client_ = connect_client(buffers);
    client_->send(kAsk);
    backend_peer_ = accept();
    const std::string asked = expect(*backend_peer_, "\r\n\r\n");
    EXPECT_NE(asked.find("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"), std::string::npos);
    backend_peer_->send(kAgree);
    EXPECT_EQ(expect(*client_, "\r\n\r\n"), kAgree);
  }

  std::unique_ptr<Peer> client_;
  std::unique_ptr<Peer> backend_peer_;
};

TEST_F(ProxyTunnelTest, BytesPassBothWaysUntilTheBackendCloses) {
  open();
  for (const std::string_view bytes : {"hello", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    client_->send(bytes);
    EXPECT_EQ(expect(*backend_peer_, bytes), bytes);
    backend_peer_->send(bytes);
    EXPECT_EQ(expect(*client_, bytes), bytes);
  }
  backend_peer_->send("last");
  backend_peer_->close();
  EXPECT_TRUE(run_until([&] { return client_->closed(); }));
  EXPECT_EQ(client_->take(), "last");
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyTunnelTest, WhatComesWithTheHeadsIsNotLost) {
  configure();
  client_ = connect_client();
  client_->send(std::string(kAsk) +
                "early");  // not allowed to a WebSocket, but no reason to lose it
  backend_peer_ = accept();
  EXPECT_EQ(expect(*backend_peer_, "\r\n\r\n").find("early"), std::string::npos);
  backend_peer_->send(std::string(kAgree) + "first");
  EXPECT_EQ(expect(*client_, "first"), std::string(kAgree) + "first");
  EXPECT_EQ(expect(*backend_peer_, "early"), "early");
}

TEST_F(ProxyTunnelTest, ClientsEndReachesTheBackendBehindItsLastBytes) {
  open();
  client_->send("bye");
  client_->finish();
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  EXPECT_EQ(backend_peer_->take(), "bye");
  backend_peer_->send("answer");  // half closed is not closed
  EXPECT_EQ(expect(*client_, "answer"), "answer");
  backend_peer_->close();
  EXPECT_TRUE(run_until([&] { return client_->closed(); }));
}

TEST_F(ProxyTunnelTest, ClientThatIsGoneTakesTheBackendAlong) {
  open();
  client_->reset();
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyTunnelTest, AnotherAnswerIsAnOrdinaryOne) {
  configure();
  client_ = connect_client();
  client_->send(kAsk);
  backend_peer_ = accept();
  expect(*backend_peer_, "\r\n\r\n");
  backend_peer_->send("HTTP/1.1 403 No\r\nDate: x\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(expect(*client_, "no"), "HTTP/1.1 403 No\r\nDate: x\r\nContent-Length: 2\r\n\r\nno");
  serve(*client_, *backend_peer_, "/next");  // HTTP goes on
}

TEST_F(ProxyTunnelTest, NobodyGetsOneWithoutAsking) {
  configure();
  client_ = connect_client();
  client_->send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
  backend_peer_ = accept();
  EXPECT_EQ(expect(*backend_peer_, "\r\n\r\n").find("pgrade"), std::string::npos);
  backend_peer_->send(kAgree);
  EXPECT_TRUE(expect(*client_, "\r\n\r\n").starts_with("HTTP/1.1 502"));
}

TEST_F(ProxyTunnelTest, SilenceOfBothEndsIt) {
  proxy_limits_.tunnel_ms = 2000;
  limits_.answer_ms = 1000;  // a limit for answers: there is none to come
  open();
  for (int i = 0; i < 12; ++i) {  // together longer than the limit
    run_for(200);
    client_->send("x");
    EXPECT_EQ(expect(*backend_peer_, "x"), "x");
  }
  EXPECT_TRUE(run_until([&] { return client_->closed() && backend_peer_->closed(); }));
  EXPECT_TRUE(logged(backend_name() + ": the tunnel was silent for proxy.tunnel_ms=2000"));
}

TEST_F(ProxyTunnelTest, NeitherSideRunsAheadOfTheOther) {
  open(64 * 1024);
  const std::string much(size_t{32} << 20, 'x');
  for (Peer* sender : {client_.get(), backend_peer_.get()}) {
    Peer& receiver = sender == client_.get() ? *backend_peer_ : *client_;
    size_t sent = send_until_stuck(*sender, much);
    EXPECT_LT(sent, size_t{20} << 20);
    size_t got = 0;
    EXPECT_TRUE(run_until([&] {
      sent += sender->send_some(std::string_view(much).substr(sent));
      got += (receiver.read(), receiver.take().size());
      return got == much.size();
    }));
  }
}

// A new configuration is for new requests.
TEST_F(ProxyTunnelTest, ReloadLeavesItAlone) {
  open();
  row_.backends[0].port = 1;
  configure();
  client_->send("still");
  EXPECT_EQ(expect(*backend_peer_, "still"), "still");
  backend_peer_->send("here");
  EXPECT_EQ(expect(*client_, "here"), "here");
}

}  // namespace
}  // namespace m2
