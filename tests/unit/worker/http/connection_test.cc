// One client's connection: requests in, answers out, and every way they end.
#include "tests/unit/worker/http/connection_fixture.h"

namespace m2 {
namespace {

TEST_F(ConnectionTest, KeepsAliveAndGivesNothingAnIdToNobody) {
  connect();
  for (int i = 0; i < 3; ++i) {
    say("GET /whole/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(heard(), "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nGET /whole/x ");
    EXPECT_FALSE(closed);
  }
  EXPECT_EQ(clients.count(), 1u);
}

TEST_F(ConnectionTest, TakesARequestByteByByte) {
  connect();
  const std::string request = "POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  for (char byte : request) say({&byte, 1});
  EXPECT_TRUE(heard().ends_with("POST /whole hello"));
  const std::string chunked =
      "POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (char byte : chunked) say({&byte, 1});
  EXPECT_TRUE(heard().ends_with("POST /whole abcde"));
  for (char byte :
       std::string("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz")) {
    say({&byte, 1});
  }
  EXPECT_TRUE(heard().ends_with("POST /stream xyz"));
}

TEST_F(ConnectionTest, HttpOneZeroClosesUnlessAsked) {
  connect();
  say("GET /whole HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(has(heard(), "Connection: keep-alive\r\n"));
  EXPECT_FALSE(closed);
  say("GET /whole HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(has(heard(), "Connection: close\r\n"));
  EXPECT_TRUE(closed);
}

TEST_F(ConnectionTest, RefusesWhatIsTooLargeBeforeReadingIt) {
  connect();
  say("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 51\r\n\r\n");
  const std::string answer = heard();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(has(answer, "Connection: close"));
  connect();
  say("POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n" +
      std::string(51, 'x'));
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(source.whole->started, 0);
}

TEST_F(ConnectionTest, BadRequestsAndMissingRoutes) {
  connect();
  say("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_FALSE(closed);
  say("garbage\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(closed);
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 417 "));
}

TEST_F(ConnectionTest, ContinueComesOnceTheTargetWantsTheBody) {
  connect();
  say("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(heard(), "HTTP/1.1 100 Continue\r\n\r\n");
  say("ok");
  EXPECT_TRUE(heard().ends_with("POST /whole ok"));
  say("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 200 OK"));  // answered without it: no 100
}

// RFC 9110 10.1.1: not to HTTP/1.0, not when the body is on its way, not behind an answer, and not
// while the target holds the client back.
TEST_F(ConnectionTest, ContinueIsSentToNobodyElse) {
  connect();
  say("POST /whole HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(heard(), "");
  say("ok");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 200 OK"));
  connect();
  const std::string head =
      "POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  say(head + "o");
  EXPECT_EQ(heard(), "");
  say("k");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 200 OK"));
  say("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 51\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 413 "));
  connect();
  say("POST /no/route HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 404 "));
}

TEST_F(ConnectionTest, ContinueWaitsForATargetThatHoldsTheClientBack) {
  source.stream->pause = true;
  connect();
  const std::string head =
      "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  say(head);
  EXPECT_EQ(heard(), "");
  source.stream->waiting->client().set_body_paused(false);
  EXPECT_EQ(heard(), "HTTP/1.1 100 Continue\r\n\r\n");
  source.stream->waiting->client().set_body_paused(true);
  source.stream->waiting->client().set_body_paused(false);
  EXPECT_EQ(heard(), "");  // once
  say("ok");
  EXPECT_TRUE(heard().ends_with("POST /stream ok"));
  say(head);
  source.stream->answer();  // without the body
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 200 OK"));
}

TEST_F(ConnectionTest, TheServerAsAWholeSaysWhatItAllows) {
  connect();
  for (int i = 0; i < 2; ++i) {
    say("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = heard();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, ")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
    EXPECT_FALSE(has(answer, "Content-Length"));
  }
  say("OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
  EXPECT_TRUE(has(heard(), "Connection: close"));
  EXPECT_TRUE(closed);
}

// Input that waits for its turn is bounded by one read and what the kernel holds, whoever goes on
// sending.
TEST_F(ConnectionTest, WhatIsPipelinedWaitsInTheKernel) {
  use({{"pipelining", "1"}});
  source.whole->hold = true;
  connect();
  std::string many;
  while (many.size() < 100'000) many += "GET /whole/x HTTP/1.1\r\nHost: a\r\n\r\n";
  ssize_t sent = 0, total = 0;
  while ((sent = ::send(client.get(), many.data(), many.size(), MSG_NOSIGNAL)) > 0) {
    total += sent;
    turns();
    ASSERT_LT(total, 8 << 20);
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(source.whole->started, 1);
}

TEST_F(ConnectionTest, APipelinedRequestEndsTheConnectionPolitely) {
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\nGET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = heard();
  EXPECT_TRUE(has(answer, "Connection: close"));
  EXPECT_TRUE(closed);
  EXPECT_EQ(source.whole->started, 1);
}

TEST_F(ConnectionTest, PipeliningServesOneAfterTheOther) {
  use({{"pipelining", "1"}});
  source.whole->hold = true;
  connect();
  say("GET /whole/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /whole/2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(source.whole->started, 1);
  EXPECT_EQ(source.whole->request, "GET /whole/1");
  source.whole->answer();
  EXPECT_EQ(source.whole->started, 2);
  source.whole->answer();
  const std::string answers = heard();
  EXPECT_TRUE(has(answers, "GET /whole/1"));
  EXPECT_TRUE(has(answers, "GET /whole/2"));
  EXPECT_FALSE(closed);
}

TEST_F(ConnectionTest, AHalfClosedClientGetsItsAnswer) {
  source.whole->hold = true;
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  ::shutdown(client.get(), SHUT_WR);
  turns();
  EXPECT_EQ(source.whole->half_closed, 1);
  EXPECT_EQ(source.whole->stopped, 0);
  source.whole->answer();
  EXPECT_TRUE(heard().ends_with("GET /whole "));
  EXPECT_TRUE(closed);
}

TEST_F(ConnectionTest, AClientThatIsGoneStopsItsTarget) {
  source.whole->hold = true;
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  client.reset();
  turns();
  ASSERT_EQ(source.whole->half_closed, 1);  // it might only have shut down its side
  source.whole->waiting->send("bytes for nobody");
  turns();
  EXPECT_EQ(source.whole->stopped, 1);
  EXPECT_EQ(clients.count(), 0u);
}

TEST_F(ConnectionTest, ASlowClientGetsEverythingInOrder) {
  source.whole->hold = true;
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  source.whole->received = std::string(3'000'000, 'x') + "end";
  source.whole->answer();
  std::string all;
  while (!all.ends_with("end")) {
    const std::string piece = heard();
    ASSERT_FALSE(closed);
    all += piece;
    turns(1);
  }
  EXPECT_EQ(all.size(), all.find("\r\n\r\n") + 4 + std::string("GET /whole ").size() + 3'000'003);
  source.whole->hold = false;
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(heard().ends_with("GET /whole "));
}

TEST_F(ConnectionTest, DrainEndsIdleClientsNowAndOthersAfterTheirAnswer) {
  connect();
  say("GET /ignore HTTP/1.1\r\nHost: a\r\n\r\n");
  OwnedFd idle = std::move(client);
  source.whole->hold = true;
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  clients.drain();
  turns();
  EXPECT_EQ(clients.count(), 1u);
  source.whole->answer();
  EXPECT_TRUE(has(heard(), "Connection: close"));
  EXPECT_TRUE(closed);
  turns();
  EXPECT_EQ(clients.count(), 0u);
}

TEST_F(ConnectionTest, DrainStillAnswersARequestThatLiesInTheSocket) {
  connect();
  const std::string request = "GET /ignore HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_GT(::send(client.get(), request.data(), request.size(), 0), 0);
  clients.drain();
  turns();
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 200 OK"));
  EXPECT_TRUE(closed);
}

// Goal: a worker that retires gives its clients away unharmed. Method: a second Clients takes them.
TEST_F(ConnectionTest, RetiringPassesOnWhoIsBetweenTwoRequests) {
  class Taker final : public Successors {
   public:
    void take(std::vector<PassedOn> clients) override {
      for (PassedOn& client : clients) taken.push_back(std::move(client.socket));
    }
    bool all_taken() const override { return true; }
    std::vector<OwnedFd> taken;
  } taker;
  connect();
  OwnedFd idle = std::move(client);
  source.whole->hold = true;
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  clients.retire(taker);
  turns();
  EXPECT_EQ(taker.taken.size(), 1u);
  source.whole->answer();
  turns();
  EXPECT_TRUE(heard().ends_with("GET /whole "));
  EXPECT_FALSE(closed);
  EXPECT_EQ(taker.taken.size(), 2u);
  EXPECT_EQ(clients.count(), 0u);

  Loop their_loop;
  Deadlines their_deadlines(their_loop);
  AccessLog their_log(their_loop, OwnedFd());
  Clients others(their_loop, their_deadlines, their_log, first_connection_id(1, 1));
  others.use(clients.generation());
  source.whole->hold = false;
  others.accepted(std::move(taker.taken.back()), sockaddr_storage{});
  const std::string request = "GET /whole HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_GT(::send(client.get(), request.data(), request.size(), 0), 0);
  their_loop.run_once();
  EXPECT_TRUE(heard().ends_with("GET /whole "));
}

TEST_F(ConnectionTest, DeadlinesEndWhatDoesNotMove) {
  use({{"limits.head_ms", "200"}, {"limits.idle_ms", "200"}});
  connect();
  say("GET /whole HTTP/1.1\r\nHo");
  while (!closed) {
    loop.run_once();
    const std::string answer = heard();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 408 ")) << answer;
  }
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(heard().empty());
  while (!closed) {
    loop.run_once();
    EXPECT_EQ(heard(), "");
  }
}

// Method: a client goes on sending behind a request that waits; at last its socket takes no more.
TEST_F(ConnectionTest, WhatNobodyReadsIsReadForSoLongOnly) {
  source.whole->hold = true;
  connect();
  say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string more(64 * 1024, 'x');
  size_t sent = 0;
  while (sent < 64 << 20) {
    const ssize_t count = ::send(client.get(), more.data(), more.size(), MSG_NOSIGNAL);
    if (count < 0) break;
    sent += static_cast<size_t>(count);
    turns();
  }
  EXPECT_GT(sent, 8u << 20);
  EXPECT_LT(sent, 16u << 20);
  source.whole->answer();
  turns();
  EXPECT_TRUE(has(heard(), "HTTP/1.1 200 OK"));
  EXPECT_EQ(source.whole->started, 1);
}

TEST_F(ConnectionTest, TooManyClientsAreToldSo) {
  use({{"limits.connections", "1"}});
  connect();
  OwnedFd first = std::move(client);
  connect();
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(clients.count(), 1u);
}

}  // namespace
}  // namespace m2
