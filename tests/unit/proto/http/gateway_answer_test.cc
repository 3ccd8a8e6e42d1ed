// Goal: an answer loses what was for this hop, gets what RFC 9110 and 9112 demand of a gateway, and
// is byte for byte the same otherwise. Method: whole heads in, whole heads out.
#include "proto/http/gateway_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "proto/http/hop_fields.h"

namespace m2 {
namespace {

struct Client {
  std::string_view connection = "";
  bool http10 = false;
};

// "same": as it is. "bad: ...": refused.
std::string pass(std::string_view head, const Client& client = {}) {
  std::string out = "what an earlier answer left";
  const GatewayAnswerResult result = write_gateway_answer(
      {.head = head, .connection = client.connection, .date = "now", .drop_coding = client.http10},
      out);
  switch (result.kind) {
    case GatewayAnswerResult::Kind::kAsItIs:
      EXPECT_EQ(out, "what an earlier answer left");
      return "same";
    case GatewayAnswerResult::Kind::kWritten:
      return out;
    case GatewayAnswerResult::Kind::kBad:
      return "bad: " + std::string(result.reason);
  }
  return "";
}

std::string ok(std::string_view fields) {
  return "HTTP/1.1 200 OK\r\nDate: d\r\n" + std::string(fields) + "\r\n";
}

TEST(GatewayAnswer, LeavesAloneWhatNeedsNothing) {
  EXPECT_EQ(pass(ok("")), "same");
  EXPECT_EQ(pass(ok("x-oDD:   two  words\t \r\nSet-Cookie: a\r\nSet-Cookie: b\r\nEmpty:\r\n"
                    "Transfer-Encoding: chunked\r\nTrailer: X\r\nX: \xc3\xa9\r\n")),
            "same");
  EXPECT_EQ(pass("HTTP/1.1 304 \r\ndate: d\r\nContent-Length: 99\r\n\r\n"), "same");
  EXPECT_EQ(pass("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), "same");  // no Date needed
}

TEST(GatewayAnswer, RemovesWhatWasForThisHop) {
  EXPECT_EQ(pass(ok("A: 1\r\nConnection: keep-alive, X-Own\r\nX-own: 1\r\nKeep-Alive: timeout=5\r\n"
                    "Proxy-Connection: x\r\nProxy-Authenticate: Basic\r\nTE: x\r\nUpgrade: h2c\r\n"
                    "proxy-authentication-info: x\r\nX-Own: 2\r\nB: 2\r\n")),
            ok("A: 1\r\nB: 2\r\n"));
  EXPECT_EQ(pass("HTTP/1.1 103 Early Hints\r\nConnection: a\r\nA: 1\r\nLink: </x>\r\n\r\n"),
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
}

// Otherwise a backend, or who writes into its answers, decides where the client's answer ends.
TEST(GatewayAnswer, ConnectionCannotRemoveFraming) {
  EXPECT_EQ(pass(ok("Connection: Content-Length, close\r\nContent-Length: 5\r\n")),
            ok("Content-Length: 5\r\n"));
  EXPECT_EQ(pass(ok("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n")),
            ok("Transfer-Encoding: chunked\r\n"));
}

TEST(GatewayAnswer, SaysWhatTheClientMustKnow) {
  EXPECT_EQ(pass(ok("A: 1\r\n"), {.connection = "Connection: close\r\n"}),
            ok("A: 1\r\nConnection: close\r\n"));
  EXPECT_EQ(pass("HTTP/1.1 200 OK\r\nA: 1\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nA: 1\r\nDate: now\r\n\r\n");
  EXPECT_EQ(pass("HTTP/1.0 404 Not Here\r\nDate: d\r\n\r\n"),
            "HTTP/1.1 404 Not Here\r\nDate: d\r\n\r\n");
  EXPECT_EQ(pass(ok("A: 1\r\nTransfer-Encoding: Chunked\r\n"),
                 {.connection = "Connection: close\r\n", .http10 = true}),
            ok("A: 1\r\nConnection: close\r\n"));
}

TEST(GatewayAnswer, KeepsTheUpgradeOfASwitchAndOfARefusal) {
  EXPECT_EQ(
      pass("HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nConnection: upgrade, x\r\nX: 1\r\n"
           "Sec-WebSocket-Accept: k\r\n\r\n"),
      "HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nSec-WebSocket-Accept: k\r\n"
      "Connection: Upgrade\r\n\r\n");
  EXPECT_EQ(
      pass("HTTP/1.1 426 x\r\nDate: d\r\nUpgrade: websocket\r\n\r\n",
           {.connection = "Connection: close\r\n"}),
      "HTTP/1.1 426 x\r\nDate: d\r\nUpgrade: websocket\r\nConnection: close, Upgrade\r\n\r\n");
}

TEST(GatewayAnswer, RepairsWhatItMustNotPassOn) {
  // RFC 9112 5.2, 5.1, 2.2 and 6.3.
  EXPECT_EQ(pass(ok("A: one\r\n\t two\r\n  three\r\nB: 1\r\n")),
            ok("A: one two three\r\nB: 1\r\n"));
  EXPECT_EQ(pass(ok("Connection: x\r\nX: 1\r\n folded\r\nB: 1\r\n")), ok("B: 1\r\n"));
  EXPECT_EQ(pass(ok("A : 1\r\nB\t:2\r\n")), ok("A: 1\r\nB: 2\r\n"));
  EXPECT_EQ(pass("HTTP/1.1 200 OK\nDate: d\nA: 1\n\n"), ok("A: 1\r\n"));
  EXPECT_EQ(pass("HTTP/1.1 200 OK\r\nDate: d\r\nA: 1\r\n\n"), ok("A: 1\r\n"));
  EXPECT_EQ(pass(ok("Content-Length: 5\r\ncontent-length: 5\r\n")), ok("Content-Length: 5\r\n"));
  // RFC 9110 8.6, RFC 9112 6.1.
  EXPECT_EQ(pass("HTTP/1.1 204 x\r\nDate: d\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 204 x\r\nDate: d\r\n\r\n");
  EXPECT_EQ(pass("HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n"), "HTTP/1.1 103 x\r\n\r\n");
}

TEST(GatewayAnswer, RefusesWhatCannotBeRepaired) {
  EXPECT_TRUE(pass(ok("no field\r\n")).starts_with("bad: a line"));
  EXPECT_TRUE(pass(ok("A B: 1\r\n")).starts_with("bad: a line"));
  EXPECT_TRUE(pass(ok(": 1\r\n")).starts_with("bad: a line"));
  EXPECT_TRUE(pass("HTTP/1.1 200 OK\r\n folded\r\nDate: d\r\n\r\n").starts_with("bad: blank"));
  EXPECT_TRUE(pass(ok("Transfer-Encoding: gzip, chunked\r\n")).starts_with("bad: Transfer"));
  EXPECT_TRUE(pass(ok("Transfer-Encoding: identity\r\n")).starts_with("bad: Transfer"));
  std::string names = "close";
  for (size_t i = 0; i < kConnectionOptionsMax; ++i) names += ", x" + std::to_string(i);
  EXPECT_EQ(pass(ok("Connection: " + names + "\r\n")), ok(""));
  EXPECT_TRUE(pass(ok("Connection: " + names + ", y\r\n")).starts_with("bad: Connection"));
}

}  // namespace
}  // namespace m2
