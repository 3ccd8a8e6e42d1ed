// Goal: whatever a backend does wrong, the client gets a clear answer or a closed connection, the
// log says why, and nothing stays behind. Method: proxy_fixture.h; backends that refuse, hang, lie
// or leave.
#include <gtest/gtest.h>

#include "tests/unit/worker/target/proxy_fixture.h"

namespace m2 {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class ProxyFailureTest : public ProxyTest {
 protected:
  // Status of the answer that a client gets; "": none.
  std::string status(Peer& client) {
    const std::string answer = expect(client, "\r\n\r\n");
    return answer.size() < 12 ? "" : answer.substr(9, 3);
  }
  // A client and a backend, and its request between them.
  void begin(std::string_view request = kGet) {
    client_ = connect_client();
    client_->send(request);
    backend_peer_ = accept();
    expect(*backend_peer_, "\r\n\r\n");
  }

  std::unique_ptr<Peer> client_;
  std::unique_ptr<Peer> backend_peer_;
};

TEST_F(ProxyFailureTest, RefusedConnectionIs502) {
  backend_.stop_listening();
  configure();
  auto client = connect_client();
  for (int i = 0; i < 2; ++i) {  // the client's connection goes on
    client->send(kGet);
    EXPECT_EQ(status(*client), "502");
  }
  EXPECT_TRUE(logged(backend_name() + ": Connection refused"));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyFailureTest, UnreachableAddressIs502) {
  row_.backends[0].addresses = {"255.255.255.255"};  // refused within connect()
  configure();
  auto client = connect_client();
  client->send(kGet);
  EXPECT_EQ(status(*client), "502");
  EXPECT_TRUE(logged("backend 255.255.255.255:"));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyFailureTest, ConnectTimeoutIs504) {
  backend_ = TestBackend(0);
  row_.port = row_.backends[0].port = backend_.port();
  limits_.connect_ms = 100;
  // The queue of the listener is full, so that a further connection hangs.
  std::vector<OwnedFd> fillers;
  const sockaddr_in where = loopback("127.0.0.1", backend_.port());
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)!::connect(fillers.back().get(), reinterpret_cast<const sockaddr*>(&where), sizeof where);
  }
  configure();
  auto client = connect_client();
  client->send(kGet);
  EXPECT_EQ(status(*client), "504");
  EXPECT_TRUE(logged(backend_name() + ": no connection within 100 ms"));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyFailureTest, NextAddressIsTriedAndRemembered) {
  row_.backends[0].host = "app.local";
  row_.backends[0].addresses = {"255.255.255.255", "127.0.0.77", "127.0.0.1"};
  configure();
  auto client = connect_client();
  client->send(kGet);
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  EXPECT_TRUE(logged("backend 127.0.0.77:" + std::to_string(row_.port) +
                     " of app.local: Connection refused; trying the next address"));
  EXPECT_EQ(pool().name(), backend_name() + " of app.local");
}

TEST_F(ProxyFailureTest, AllAddressesRefusedIs502) {
  row_.backends[0].addresses = {"127.0.0.77", "127.0.0.78", "255.255.255.255"};
  configure();
  auto client = connect_client();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_EQ(status(*client), "502");
  EXPECT_TRUE(run_until([&] { return client->closed(); }));  // its body was not read
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyFailureTest, SilentBackendIs504) {
  limits_.answer_ms = 1000;
  configure();
  begin();
  backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nConten");  // half a head is no answer
  EXPECT_EQ(status(*client_), "504");
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  EXPECT_TRUE(logged(backend_name() + ": silent for 1000 ms"));
}

TEST_F(ProxyFailureTest, EachByteOfTheBackendMovesItsDeadline) {
  limits_.answer_ms = 1000;
  configure();
  begin();
  backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 13\r\n\r\n");
  for (int i = 0; i < 12; ++i) {
    run_for(100);
    backend_peer_->send("x");
  }
  run_for(10);
  EXPECT_TRUE(client_->read().ends_with("\r\n\r\nxxxxxxxxxxxx"));
  EXPECT_TRUE(run_until([&] { return client_->closed(); }));  // and then it is silent
}

// No deadline of the backend runs while the client is at work, on a new connection or on an idle
// one.
TEST_F(ProxyFailureTest, SlowClientIsNotTheBackendsFault) {
  limits_.connect_ms = limits_.answer_ms = limits_.idle_ms = 600;
  configure();
  const std::string_view head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
  begin(head);
  for (const bool again : {false, true}) {
    if (again) client_->send(head);
    if (again) expect(*backend_peer_, "\r\n\r\n");
    run_for(900);
    client_->send("hi");
    EXPECT_EQ(expect(*backend_peer_, "hi"), "hi");
    backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(status(*client_), "200");
  }
  client_->send(head);
  client_->send("hi");
  EXPECT_EQ(status(*client_), "504");  // and now it is the backend's
}

TEST_F(ProxyFailureTest, ClosingWithoutAnAnswerIs502) {
  configure();
  for (const std::string_view before :
       {"", "HTTP/1.1 200 OK\r\nDate: x\r\nConten", "HTTP/1.1 103 x\r\n\r"}) {
    begin();
    backend_peer_->send(before);
    backend_peer_->close();
    EXPECT_EQ(status(*client_), "502");
    EXPECT_TRUE(logged(backend_name() + ": closed without an answer"));
  }
}

TEST_F(ProxyFailureTest, ResetIs502) {
  configure();
  begin();
  backend_peer_->reset();
  EXPECT_EQ(status(*client_), "502");
  EXPECT_TRUE(logged(backend_name() + ": Connection reset by peer"));
}

TEST_F(ProxyFailureTest, GarbageIs502) {
  configure();
  for (const std::string_view answer :
       {"SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
    begin();
    backend_peer_->send(answer);
    EXPECT_EQ(status(*client_), "502");
    EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  }
  EXPECT_TRUE(logged("502: " + backend_name() + ": 101 Switching Protocols"));
}

TEST_F(ProxyFailureTest, TooLongAHeadIs502) {
  proxy_limits_.head_bytes_max = 4096;
  configure();
  begin();
  backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nX: " + std::string(5000, 'x'));
  EXPECT_EQ(status(*client_), "502");
}

TEST_F(ProxyFailureTest, CutAnswerClosesTheClient) {
  configure();
  for (const std::string_view answer :
       {"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"}) {
    begin();
    backend_peer_->send(answer);
    backend_peer_->close();
    EXPECT_TRUE(run_until([&] { return client_->closed(); }));
    EXPECT_EQ(client_->take(), answer);
    EXPECT_TRUE(logged(backend_name() + ": closed within its answer"));
  }
}

TEST_F(ProxyFailureTest, BadChunkClosesTheClient) {
  configure();
  begin();
  backend_peer_->send(
      "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n");
  expect(*client_, "short\r\n");
  backend_peer_->send("x\r\n");
  EXPECT_TRUE(run_until([&] { return client_->closed() && backend_peer_->closed(); }));
}

TEST_F(ProxyFailureTest, ResetWithinACloseDelimitedAnswerIsNotItsEnd) {
  configure();
  begin();
  backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\n\r\npart");
  expect(*client_, "part");
  backend_peer_->reset();
  EXPECT_TRUE(run_until([&] { return client_->closed(); }));
  EXPECT_TRUE(logged(backend_name() + ": Connection reset by peer"));
}

TEST_F(ProxyFailureTest, AnswerBeforeTheBodyIsPassedOn) {
  configure();
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello");
  const std::string head = "HTTP/1.1 413 Too Large\r\nDate: x\r\nContent-Length: 2\r\n";
  backend_peer_->send(head + "\r\nno");
  EXPECT_EQ(expect(*client_, "no"), head + "Connection: close\r\n\r\nno");
  // Neither connection is between two messages.
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed() && client_->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyFailureTest, ClientThatLeavesTakesItsBackendConnectionAlong) {
  configure();
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  client_->close();
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);

  begin();
  backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 100000000\r\n\r\n");
  expect(*client_, "\r\n\r\n");
  client_->reset();
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  EXPECT_EQ(pool().open_count(), 0u);
}

TEST_F(ProxyFailureTest, BadBodyIs400AndReachesNobodyWhole) {
  configure();
  begin("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  client_->send("zz\r\n");
  EXPECT_EQ(status(*client_), "400");
  EXPECT_TRUE(run_until([&] { return backend_peer_->closed(); }));
  EXPECT_FALSE(backend_peer_->read().ends_with("0\r\n\r\n"));
}

TEST_F(ProxyFailureTest, TooManyNamesInConnectionIs400) {
  configure();
  auto client = connect_client();
  std::string names = "a";
  for (int i = 0; i < 40; ++i) names += ",b" + std::to_string(i);
  client->send("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + names + "\r\n\r\n");
  EXPECT_EQ(status(*client), "400");
  EXPECT_EQ(pool().open_count(), 0u);
}

// The configuration is replaced while an answer is under way: the last exchange takes the old Proxy
// with it, from within its own last call.
TEST_F(ProxyFailureTest, ProxyGoesAwayWithItsLastExchange) {
  configure();
  begin();
  auto old_client = std::move(client_);
  auto old_backend = std::move(backend_peer_);
  ++limits_.pool_max;  // so that the new one does not share its connections
  configure();
  begin();  // of the new one
  old_backend->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(expect(*old_client, "ok"), "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(run_until([&] { return old_backend->closed(); }));
  backend_peer_->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  expect(*client_, "ok");

  // The same when it ends badly, by its backend or by a deadline.
  for (const bool silent : {false, true}) {
    limits_.answer_ms = silent ? 100 : 60000;
    ++limits_.pool_max;
    configure();
    begin();
    limits_.answer_ms = 60000;
    configure();
    if (!silent) backend_peer_->close();
    EXPECT_EQ(status(*client_), silent ? "504" : "502");
  }
}

}  // namespace
}  // namespace m2
