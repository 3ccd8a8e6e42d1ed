// Goal: several backends share the requests, those that fail get none for a while, and a request
// goes to another one only where nobody can notice. Method: proxy_fixture.h with three backends.
#include <gtest/gtest.h>

#include "tests/unit/worker/target/proxy_fixture.h"

namespace m2 {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok";

class ProxyBalanceTest : public ProxyTest {
 protected:
  ProxyBalanceTest() {
    row_.backends.clear();
    for (const TestBackend& each : three_) {
      row_.backends.push_back({"127.0.0.1", each.port(), {"127.0.0.1"}});
    }
  }

  // The backend that a connection comes to; its end is peer_.
  size_t arrival() {
    size_t found = three_.size();
    EXPECT_TRUE(run_until([&] {
      for (size_t i = 0; i < three_.size(); ++i) {
        if ((peer_ = three_[i].accept()) != nullptr) found = i;
        if (found == i) return true;
      }
      return false;
    }));
    return found;
  }
  // Sends a request and answers it wherever it comes on a new connection, which then closes.
  size_t serve_one(std::string_view request = kGet) {
    auto client = connect_client();
    client->send(request);
    const size_t where = arrival();
    expect(*peer_, "\r\n\r\n");
    peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(expect(*client, "ok"), kOk);
    EXPECT_TRUE(run_until([&] { return peer_->closed(); }));
    return where;
  }
  std::string status_of(std::string_view request) {
    auto client = connect_client();
    client->send(request);
    const std::string answer = expect(*client, "\r\n\r\n");
    return answer.size() < 12 ? "" : answer.substr(9, 3);
  }
  const Backend& backend(size_t at) { return *proxy_->balancer().backends().at(at); }
  std::string name(size_t at) {
    return "backend 127.0.0.1:" + std::to_string(row_.backends[at].port);
  }

  std::array<TestBackend, 3> three_;
  std::unique_ptr<Peer> peer_;
};

TEST_F(ProxyBalanceTest, InTurn) {
  configure();
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(serve_one(), i % 3);
}

TEST_F(ProxyBalanceTest, LeastConnections) {
  row_.balance = Balance::kLeastConnections;
  configure();
  std::vector<std::unique_ptr<Peer>> clients, peers;
  for (size_t i = 0; i < 4; ++i) {  // the fourth is the first one's second
    clients.push_back(connect_client());
    clients.back()->send(kGet);
    EXPECT_EQ(arrival(), i % 3);
    expect(*peer_, "\r\n\r\n");
    peers.push_back(std::move(peer_));
  }
  peers[1]->send(kOk);
  EXPECT_EQ(expect(*clients[1], "ok"), kOk);
  clients[1]->send(kGet);
  expect(*peers[1], "\r\n\r\n");  // its idle connection: that backend has the fewest busy ones
}

// Nobody has seen the request: it goes elsewhere whatever its method, with the body that has come.
TEST_F(ProxyBalanceTest, RefusedConnectionMovesEverything) {
  three_[0].stop_listening();
  configure();
  auto client = connect_client();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  EXPECT_EQ(arrival(), 1u);
  EXPECT_TRUE(expect(*peer_, "hello").starts_with("POST / HTTP/1.1\r\n"));
  client->send("world");
  EXPECT_EQ(expect(*peer_, "world"), "world");
  peer_->send(kOk);
  EXPECT_EQ(expect(*client, "ok"), kOk);
  EXPECT_TRUE(logged(name(0) + ": Connection refused; trying another backend"));
}

TEST_F(ProxyBalanceTest, ClosedWithoutAnAnswerMovesWhatMayBeRepeated) {
  configure();
  auto client = connect_client();
  client->send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(arrival(), 0u);
  expect(*peer_, "\r\n\r\n");
  peer_->close();  // nothing of the body has passed
  EXPECT_EQ(arrival(), 1u);
  expect(*peer_, "\r\n\r\n");
  client->send("hello");
  EXPECT_EQ(expect(*peer_, "hello"), "hello");
  peer_->send(kOk);
  EXPECT_EQ(expect(*client, "ok"), kOk);
}

TEST_F(ProxyBalanceTest, WhatMayHaveHappenedIsNotRepeated) {
  configure();
  const std::string_view post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
  const std::string_view put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
  const std::string_view patch = "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string_view request : {post, put, patch}) {
    auto client = connect_client();
    client->send(request);
    (void)arrival();
    expect(*peer_, request.substr(request.size() - 2));
    peer_->close();
    EXPECT_TRUE(expect(*client, "\r\n\r\n").starts_with("HTTP/1.1 502"));
  }
  // Nor once anything of an answer has come.
  auto client = connect_client();
  client->send(kGet);
  (void)arrival();
  expect(*peer_, "\r\n\r\n");
  peer_->send("HTTP/1.1 103 x\r\n\r\n");
  expect(*client, "103 x\r\n\r\n");
  peer_->close();
  EXPECT_TRUE(expect(*client, "\r\n\r\n").starts_with("HTTP/1.1 502"));
  for (TestBackend& each : three_) EXPECT_EQ(each.accept(), nullptr);
}

TEST_F(ProxyBalanceTest, SilenceIsNotTriedElsewhere) {
  limits_.answer_ms = 100;
  configure();
  EXPECT_EQ(status_of(kGet), "504");
  EXPECT_EQ(backend(0).failures, 1u);
}

TEST_F(ProxyBalanceTest, OutOfTurnAfterFailuresInARowAndBackAfterATrial) {
  proxy_limits_.balance.health = {.eject_after = 2, .eject_ms = 1500};
  limits_.connections_max = 5;
  configure();
  const uint16_t port = three_[0].port();
  three_[0].stop_listening();
  for (int i = 0; i < 2; ++i) {  // both find another one
    EXPECT_EQ(serve_one(), 1u);
    EXPECT_EQ(serve_one(), 2u);
  }
  EXPECT_TRUE(logged(name(0) +
                     " is out of turn for 1500 ms after 2 failures in a row; requests 2, "
                     "failures 2; last: " +
                     name(0) + ": Connection refused"));
  const uint64_t asked = backend(0).requests;
  for (int i = 0; i < 4; ++i) (void)serve_one();
  EXPECT_EQ(backend(0).requests, asked);
  // The pause is over: one trial, refused, and the pause doubles.
  EXPECT_TRUE(run_until([&] {
    (void)serve_one();
    return backend(0).requests > asked;
  }));
  EXPECT_TRUE(logged(name(0) + " is out of turn for 3000 ms"));
  three_[0] = TestBackend(64, 0, port);
  EXPECT_TRUE(run_until([&] { return serve_one() == 0; }));
  EXPECT_TRUE(logged(name(0) + " is in turn again after "));
}

// A reload keeps what is known of a backend that stays, whatever its row and its limits are.
TEST_F(ProxyBalanceTest, HealthAndConnectionsSurviveAReload) {
  proxy_limits_.balance.health = {.eject_after = 1, .eject_ms = 60000};
  configure();
  auto client = connect_client();
  three_[0].stop_listening();
  client->send(kGet);
  EXPECT_EQ(arrival(), 1u);
  expect(*peer_, "\r\n\r\n");
  peer_->send(kOk);
  expect(*client, "ok");
  row_.id = 7;
  row_.backends.pop_back();
  configure();
  EXPECT_EQ(pool(1).idle_count(), 1u);
  for (int i = 0; i < 3; ++i) serve(*client, *peer_, "/again");
  EXPECT_EQ(backend(0).requests, 1u);
  limits_.pool_max = 1;  // other limits: other connections, the same health
  configure();
  EXPECT_EQ(pool(1).idle_count(), 0u);
  EXPECT_EQ(serve_one(), 1u);
  EXPECT_EQ(backend(0).requests, 1u);
  EXPECT_EQ(backend(0).failures, 1u);
}

TEST_F(ProxyBalanceTest, AllOutOfTurnTheLeastBadIsTriedAtOnce) {
  proxy_limits_.balance.health = {.eject_after = 1, .eject_ms = 60000};
  configure();
  for (TestBackend& each : three_) each.stop_listening();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(status_of(kGet), "502");
  uint64_t tried = 0;
  for (size_t i = 0; i < 3; ++i) tried += backend(i).requests;
  EXPECT_GE(tried, 6u);
  const uint16_t port = three_[2].port();
  three_[2] = TestBackend(64, 0, port);
  EXPECT_TRUE(run_until([&] {
    auto client = connect_client();
    client->send(kGet);
    EXPECT_TRUE(
        run_until([&] { return client->has("502") || (peer_ = three_[2].accept()) != nullptr; }));
    return peer_ != nullptr;
  }));
  expect(*peer_, "\r\n\r\n");
}

TEST_F(ProxyBalanceTest, RetriesHaveABudget) {
  proxy_limits_.balance.health = {.eject_after = 1000, .eject_ms = 1000};
  proxy_limits_.balance.retry_percent = 0;
  three_[0].stop_listening();
  configure();
  EXPECT_EQ(status_of(kGet), "502");
  EXPECT_TRUE(logged("requests are not tried elsewhere, above proxy.retry_percent=0; so far 1"));

  proxy_limits_.balance.retry_percent = 20;
  three_[1].stop_listening();
  three_[2].stop_listening();
  configure();
  for (int i = 0; i < 60; ++i) EXPECT_EQ(status_of(kGet), "502");
  uint64_t visits = 0;
  for (size_t i = 0; i < 3; ++i) visits += backend(i).requests;
  // 61 requests, ten retries in hand and one more for each five requests.
  EXPECT_LE(visits, 61u + 10u + 12u);
  EXPECT_GE(visits, 61u + 10u);
}

TEST_F(ProxyBalanceTest, FullBackendIsPassedOver) {
  limits_.connections_max = 1;
  configure();
  std::vector<std::unique_ptr<Peer>> clients, peers;
  for (size_t i = 0; i < 3; ++i) {
    clients.push_back(connect_client());
    clients.back()->send(kGet);
    EXPECT_EQ(arrival(), i);
    expect(*peer_, "\r\n\r\n");
    peers.push_back(std::move(peer_));
  }
  EXPECT_EQ(status_of(kGet), "503");
  peers[2]->send(kOk);
  expect(*clients[2], "ok");
  clients[2]->send(kGet);
  expect(*peers[2], "\r\n\r\n");  // the turn was another one's, which is full
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(backend(i).failures, 0u);
}

// ---- names

TEST_F(ProxyBalanceTest, FailingAddressOfANameIsLookedUpAgain) {
  row_.backends = {{"app.local", three_[0].port(), {"127.0.0.77"}}};
  configure();
  EXPECT_EQ(status_of(kGet), "502");
  EXPECT_EQ(status_of(kGet), "502");
  EXPECT_EQ(asked_, 1u);  // at most once in proxy.resolve_ms
  backends_.take({{"other.local", {"127.0.0.2"}}, {"app.local", {"127.0.0.1"}}});
  EXPECT_TRUE(logged("backend app.local:" + std::to_string(three_[0].port()) +
                     " has other addresses now: 127.0.0.1"));
  EXPECT_EQ(serve_one(), 0u);
}

TEST_F(ProxyBalanceTest, ConnectionsToAddressesThatAreNoMoreEnd) {
  row_.backends = {{"app.local", three_[0].port(), {"127.0.0.1"}}};
  configure();
  auto idle = connect_client();
  idle->send(kGet);
  EXPECT_EQ(arrival(), 0u);
  auto idle_peer = std::move(peer_);
  auto busy = connect_client();
  busy->send(kGet);
  EXPECT_EQ(arrival(), 0u);
  auto busy_peer = std::move(peer_);
  idle_peer->send(kOk);
  expect(*idle, "ok");
  backends_.take({{"app.local", {"127.0.0.77"}}});
  EXPECT_TRUE(run_until([&] { return idle_peer->closed(); }));
  busy_peer->send(kOk);  // what is under way ends in peace
  EXPECT_EQ(expect(*busy, "ok"), kOk);
  EXPECT_TRUE(run_until([&] { return busy_peer->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyBalanceTest, NameWithoutAnAddressWaitsForOne) {
  row_.backends = {{"new.local", three_[0].port(), {}}, row_.backends[1]};
  configure();
  EXPECT_EQ(serve_one(), 1u);
  EXPECT_EQ(serve_one(), 1u);
  EXPECT_EQ(asked_, 1u);
  backends_.take({{"new.local", {"127.0.0.1"}}});
  EXPECT_EQ(serve_one() + serve_one(), 1u);  // one each
}

}  // namespace
}  // namespace m2
