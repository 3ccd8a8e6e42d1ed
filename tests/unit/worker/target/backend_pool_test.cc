// Goal: connections to a backend serve many requests, are never handed out dead, and do not pile
// up. Method: proxy_fixture.h; the backend sees which connection a request comes on.
#include "worker/target/backend_pool.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/target/proxy_fixture.h"

namespace m2 {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

class BackendPoolTest : public ProxyTest {
 protected:
  // A client whose first request was answered on a connection that is idle now.
  void warm_up() {
    client_ = connect_client();
    client_->send(kGet);
    first_ = accept();
    expect(*first_, "\r\n\r\n");
    first_->send(kOk);
    EXPECT_EQ(expect(*client_, "ok"), kOk);
    EXPECT_EQ(pool().idle_count(), 1u);
  }

  std::unique_ptr<Peer> client_;
  std::unique_ptr<Peer> first_;  // the backend's end
};

TEST_F(BackendPoolTest, NamesItsBackend) {
  row_.backends = {{"app.local", 81, {"::1", "127.0.0.1"}}};
  configure();
  EXPECT_EQ(pool().name(), "backend [::1]:81 of app.local");
  row_.backends[0].host = "::1";
  configure();
  EXPECT_EQ(pool().name(), "backend [::1]:81");
}

TEST_F(BackendPoolTest, OneConnectionServesManyClients) {
  configure();
  warm_up();
  for (int i = 0; i < 5; ++i) {
    auto client = connect_client();
    serve(*client, *first_, "/" + std::to_string(i));
  }
  EXPECT_EQ(backend_.accept(), nullptr);
  EXPECT_EQ(pool().open_count(), 1u);
}

TEST_F(BackendPoolTest, LastUsedComesFirst) {
  configure();
  std::vector<std::unique_ptr<Peer>> clients, backends;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(connect_client());
    clients.back()->send(kGet);
    backends.push_back(accept());
    expect(*backends.back(), "\r\n\r\n");
  }
  for (const size_t i : {1, 0, 2}) {
    backends[i]->send(kOk);
    expect(*clients[i], "ok");
  }
  EXPECT_EQ(pool().idle_count(), 3u);
  for (const size_t i : {2, 0, 1}) {
    clients[0]->send(kGet);
    expect(*backends[i], "\r\n\r\n");
    backends[i]->close();  // so that the next one is asked
    // Repeated on a new connection, which does not join the others.
    auto again = accept();
    expect(*again, "\r\n\r\n");
    again->send("HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(expect(*clients[0], "ok"), kOk);
  }
}

TEST_F(BackendPoolTest, IdleConnectionThatTheBackendClosesIsDropped) {
  configure();
  warm_up();
  first_->close();
  EXPECT_TRUE(run_until([&] { return pool().idle_count() == 0; }));
  EXPECT_EQ(pool().open_count(), 0u);
  client_->send(kPost);
  EXPECT_NE(expect(*accept(), "body"), "");
}

TEST_F(BackendPoolTest, IdleConnectionThatSpeaksUnaskedIsDropped) {
  configure();
  warm_up();
  first_->send("HTTP/1.1 408 Request Timeout\r\nDate: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return first_->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);
  EXPECT_EQ(client_->read(), "");
}

TEST_F(BackendPoolTest, BytesBehindAnAnswerReachNobody) {
  configure();
  client_ = connect_client();
  client_->send(kGet);
  first_ = accept();
  expect(*first_, "\r\n\r\n");
  first_->send(std::string(kOk) + "HTTP/1.1 200 OK\r\nDate: x\r\n");
  EXPECT_EQ(expect(*client_, "ok"), kOk);
  EXPECT_TRUE(run_until([&] { return first_->closed(); }));
  EXPECT_EQ(client_->read(), "");
}

TEST_F(BackendPoolTest, IdleConnectionIsClosedInTime) {
  limits_.idle_ms = 100;
  configure();
  warm_up();
  EXPECT_TRUE(run_until([&] { return first_->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(BackendPoolTest, KeepsNoMoreIdleThanAllowed) {
  limits_.pool_max = 1;
  configure();
  auto one = connect_client();
  auto two = connect_client();
  one->send(kGet);
  auto backend_one = accept();
  two->send(kGet);
  auto backend_two = accept();
  backend_one->send(kOk);
  expect(*one, "ok");
  backend_two->send(kOk);
  expect(*two, "ok");
  EXPECT_TRUE(run_until([&] { return backend_two->closed(); }));
  EXPECT_FALSE(backend_one->closed());
  EXPECT_EQ(pool().open_count(), 1u);
}

TEST_F(BackendPoolTest, OpensNoMoreThanAllowed) {
  limits_.connections_max = 1;
  configure();
  auto one = connect_client();
  one->send(kGet);
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  auto two = connect_client();
  two->send(kGet);
  const std::string refused = expect(*two, "\r\n\r\n");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused;
  EXPECT_NE(refused.find("Retry-After: "), std::string::npos);
  EXPECT_TRUE(logged("all 1 connections"));
  backend->send(kOk);
  expect(*one, "ok");
  serve(*two, *backend, "/now");
}

// The backend closes just as the request comes; in one turn of the loop, in either order.
TEST_F(BackendPoolTest, RequestThatMeetsAClosedConnectionIsServed) {
  configure();
  for (const std::string_view request : {kGet, kPost}) {
    for (const bool close_first : {true, false}) {
      warm_up();
      if (close_first) first_->close();
      client_->send(request);
      if (!close_first) first_->close();
      auto second = accept();
      EXPECT_NE(expect(*second, request.substr(request.size() - 4)), "");
      second->send(kOk);
      EXPECT_EQ(expect(*client_, "ok"), kOk);
      second->close();
      EXPECT_TRUE(run_until([&] { return pool().open_count() == 0; }));
    }
  }
}

TEST_F(BackendPoolTest, SafeRequestIsRepeatedOnceOnANewConnection) {
  configure();
  warm_up();
  client_->send("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string sent = expect(*first_, "\r\n\r\n");
  first_->close();
  auto second = accept();
  EXPECT_EQ(expect(*second, "\r\n\r\n"), sent);
  second->close();
  EXPECT_TRUE(expect(*client_, "\r\n\r\n").starts_with("HTTP/1.1 502 "));
  run_for(20);
  EXPECT_EQ(backend_.accept(), nullptr);
}

TEST_F(BackendPoolTest, NothingElseIsRepeated) {
  configure();
  const struct {
    std::string_view request;
    std::string_view before_closing;
  } kCases[] = {{kPost, ""},                                                       // not idempotent
                {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", ""},  // with a body
                {kGet, "HTTP/1.1 2"}};                                             // answered
  for (const auto& c : kCases) {
    warm_up();
    client_->send(c.request);
    expect(*first_, c.request.substr(c.request.size() - 2));
    first_->send(c.before_closing);
    first_->close();
    EXPECT_TRUE(expect(*client_, "\r\n\r\n").starts_with("HTTP/1.1 502 "));
    run_for(20);
    EXPECT_EQ(backend_.accept(), nullptr);
  }
}

}  // namespace
}  // namespace m2
