// Goal: a backend gets what is meant for it, byte for byte and in order, and nothing that is meant
// for this hop only or that would let two servers see two different requests. Method: heads through
// the parser, then compared whole.
#include "proto/http/gateway_request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "proto/http/hop_fields.h"
#include "proto/http/request_parser.h"

namespace m2 {
namespace {

struct Options {
  std::string_view peer = "10.1.2.3";
  bool keep_client_xff = false;
  bool via = false;
  bool peer_is_origin = false;
  bool peer_is_trusted = false;
  std::string_view scheme = {};
};

std::string forward(std::string_view raw, const Options& options = {}) {
  const ParserLimits limits;
  RequestParser parser(limits);
  RequestHead head;
  EXPECT_EQ(parser.parse(raw, head), ParseState::kComplete) << parser.reason();
  std::string out = "what an earlier request left";
  switch (write_gateway_request({.head = &head,
                                 .base = raw.data(),
                                 .peer = options.peer,
                                 .peer_is_origin = options.peer_is_origin,
                                 .peer_is_trusted = options.peer_is_trusted,
                                 .scheme = options.scheme,
                                 .keep_client_xff = options.keep_client_xff,
                                 .via = options.via,
                                 .default_host = "named.here"},
                                out)) {
    case GatewayVerdict::kForward:
      return out;
    case GatewayVerdict::kAnswerHere:
      return "answer here";
    case GatewayVerdict::kTooManyNames:
      return "too many names";
    case GatewayVerdict::kBadForwards:
      return "bad forwards";
  }
  return "";
}

// Keeps X-Forwarded-For out of the way of what a test is about.
constexpr Options kPlain{.keep_client_xff = true};

TEST(GatewayRequest, KeepsOrderSpellingAndBytes) {
  const std::string head =
      "POST /a%20b/../c//d?x=%2F1&y=?z HTTP/1.1\r\nhOsT: Example.org:8080\r\nX-B: 1\r\n"
      "x-a: two  words\r\nX-B: \xc3\xa9\t2\r\ncontent-length: 007\r\n\r\n";
  EXPECT_EQ(forward(head, kPlain), head);
}

TEST(GatewayRequest, WritesUnusualBlanksTheUsualWay) {
  EXPECT_EQ(
      forward("GET / HTTP/1.1\r\nHost:a\r\nX-A:  two  words\t \r\nEmpty:\r\nBlank: \r\n"
              "Last: 1\r\n\r\n",
              kPlain),
      "GET / HTTP/1.1\r\nHost: a\r\nX-A: two  words\r\nEmpty: \r\nBlank: \r\nLast: 1\r\n\r\n");
}

TEST(GatewayRequest, AppendsThePeer) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n");
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nx-forwarded-for: 1.1.1.1\r\nHost: a\r\n"
                    "X-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-For:\r\nZ: 1\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\nZ: 1\r\n"
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.1.2.3\r\n\r\n");
}

TEST(GatewayRequest, NoClientSpeaksAsAProxy) {
  const std::string_view raw =
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nx-forwarded-host: evil\r\n"
      "X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6;proto=https\r\nX_Forwarded_Proto: https\r\n"
      "Front-End-Https: on\r\nTrue-Client-IP: 6.6.6.6\r\nX-Forwarded-Ssl: on\r\nZ: 1\r\n\r\n";
  const std::string ours = "X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: http\r\n\r\n";
  EXPECT_EQ(forward(raw, {.scheme = "http"}), "GET / HTTP/1.1\r\nHost: a\r\nZ: 1\r\n" + ours);
  // Nor by taking our own word away.
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-Proto\r\n\r\n",
                    {.scheme = "http"}),
            "GET / HTTP/1.1\r\nHost: a\r\n" + ours);
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n"
                    "X-Forwarded-Proto: https\r\n\r\n",
                    {.keep_client_xff = true, .scheme = "http"}),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n"
            "X-Forwarded-Proto: http\r\n\r\n");
}

TEST(GatewayRequest, WhatATrustedProxySaysGoesOn) {
  constexpr Options kTrusted{.peer_is_origin = true, .peer_is_trusted = true, .scheme = "https"};
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.2.3, 10.0.0.1\r\n"
                    "X-Forwarded-Proto: http, https\r\nX-Forwarded-Host: b\r\nX-Real-IP: c\r\n"
                    "Forwarded: for=6.6.6.6\r\n\r\n",
                    kTrusted),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b\r\nX-Real-IP: c\r\n"
            "X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https\r\n\r\n");
  EXPECT_EQ(
      forward("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=10.1.2.3;proto=https\r\n\r\n", kTrusted),
      "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=10.1.2.3;proto=https\r\n"
      "X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https\r\n\r\n");
}

TEST(GatewayRequest, AClientFoundBehindProxiesStandsAlone) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6, 10.1.2.3, 10.0.0.1\r\n"
                    "Host: a\r\n\r\n",
                    {.peer_is_origin = true}),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n");
}

TEST(GatewayRequest, LeavesForwardedForAloneWhenToldToOrWithoutAPeer) {
  const std::string own = "GET / HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\r\nHost: a\r\n\r\n";
  const std::string none = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const Options& options : {kPlain, Options{.peer = "-"}}) {
    EXPECT_EQ(forward(own, options), own);
    EXPECT_EQ(forward(none, options), none);
  }
}

TEST(GatewayRequest, RemovesWhatIsForThisHop) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, X-Secret,  te\r\n"
                    "Keep-Alive: timeout=5\r\nX-Secret: 1\r\nx-SECRET: 2\r\nKept: 1\r\n"
                    "Proxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: websocket\r\n"
                    "Expect: 100-continue\r\nX-Secrets: 3\r\n\r\n",
                    kPlain),
            "GET / HTTP/1.1\r\nHost: a\r\nKept: 1\r\nX-Secrets: 3\r\n"
            "TE: trailers\r\nConnection: TE\r\n\r\n");
}

TEST(GatewayRequest, SeveralConnectionFieldsAreOneList) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nX-A: 1\r\nconnection: x-a\r\nHost: a\r\nX-B: 1\r\n"
                    "CONNECTION: close,,X-B\r\n\r\n",
                    kPlain),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

// A client that could remove these would choose where its request ends, or whose it is.
TEST(GatewayRequest, ConnectionCannotRemoveFramingOrHost) {
  EXPECT_EQ(forward("POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length, host\r\n"
                    "Content-Length: 5\r\n\r\n",
                    kPlain),
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(forward("POST / HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n",
                    kPlain),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  // The client's own claim goes, the address of the client does not.
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For\r\n"
                    "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n");
}

TEST(GatewayRequest, BoundsTheSearchForNamesInConnection) {
  std::string names = "close";
  for (size_t i = 0; i < kConnectionOptionsMax; ++i) names += ", x" + std::to_string(i);
  const auto head = [](const std::string& list) {
    return "GET / HTTP/1.1\r\nHost: a\r\nConnection: " + list + "\r\n\r\n";
  };
  EXPECT_NE(forward(head(names)), "too many names");
  EXPECT_EQ(forward(head(names + ", y")), "too many names");
}

TEST(GatewayRequest, AnnouncesChunkedAnew) {
  EXPECT_EQ(forward("PUT / HTTP/1.1\r\nTransfer-Encoding:\tChunked\r\nHost: a\r\n\r\n", kPlain),
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(GatewayRequest, AbsoluteTargetBecomesPathAndHost) {
  EXPECT_EQ(forward("GET http://Real.org:81/p/q?r HTTP/1.1\r\nX: 1\r\nHost: other\r\nY: 2\r\n\r\n",
                    kPlain),
            "GET /p/q?r HTTP/1.1\r\nHost: Real.org:81\r\nX: 1\r\nY: 2\r\n\r\n");
  EXPECT_EQ(forward("GET http://real.org?r HTTP/1.1\r\nHost: other\r\n\r\n", kPlain),
            "GET /?r HTTP/1.1\r\nHost: real.org\r\n\r\n");
}

TEST(GatewayRequest, AsteriskStaysAndFragmentGoes) {
  EXPECT_EQ(forward("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", kPlain),
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(forward("GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", kPlain),
            "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(GatewayRequest, SpeaksForItself) {
  EXPECT_EQ(forward("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", kPlain),
            "GET /x HTTP/1.1\r\nHost: named.here\r\n\r\n");
  const Options via{.keep_client_xff = true, .via = true};
  EXPECT_EQ(forward("GET /x HTTP/1.0\r\nHost: a\r\n\r\n", via),
            "GET /x HTTP/1.1\r\nHost: a\r\nVia: 1.0 mongrel2\r\n\r\n");
  EXPECT_EQ(forward("GET /x HTTP/1.3\r\nHost: a\r\nVia: 1.1 other\r\n\r\n", via),
            "GET /x HTTP/1.1\r\nHost: a\r\nVia: 1.1 other\r\nVia: 1.1 mongrel2\r\n\r\n");
}

TEST(GatewayRequest, CountsHopsOfOptions) {
  const auto with = [](std::string_view method, std::string_view hops) {
    return std::string(method) + " / HTTP/1.1\r\nHost: a\r\nMax-Forwards: " + std::string(hops) +
           "\r\n\r\n";
  };
  EXPECT_EQ(forward(with("OPTIONS", "7"), kPlain), with("OPTIONS", "6"));
  EXPECT_EQ(forward(with("OPTIONS", "9223372036854775807"), kPlain),
            with("OPTIONS", "9223372036854775806"));
  EXPECT_EQ(forward(with("OPTIONS", "0"), kPlain), "answer here");
  EXPECT_EQ(forward(with("OPTIONS", "1x"), kPlain), "bad forwards");
  EXPECT_EQ(forward(with("OPTIONS", "7\r\nMax-Forwards: 7"), kPlain), "bad forwards");
  EXPECT_EQ(forward(with("GET", "0"), kPlain), with("GET", "0"));
}

TEST(GatewayRequest, AsksForAWebSocketAndNothingElse) {
  const auto with = [](std::string_view upgrade) {
    return "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: " + std::string(upgrade) +
           "\r\nConnection: x, upgrade\r\nX: 1\r\nSec-WebSocket-Key: k\r\n\r\n";
  };
  const std::string kept = "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\n";
  EXPECT_EQ(forward(with("WebSocket"), kPlain),
            kept + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  EXPECT_EQ(forward(with("h2c"), kPlain), kept + "\r\n");
  EXPECT_EQ(forward(with("websocket, h2c"), kPlain), kept + "\r\n");
  // Not without the option, not with a body, not from a client of HTTP/1.0.
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", kPlain),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(forward("GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\n"
                    "Upgrade: websocket\r\n\r\n",
                    kPlain),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(GatewayRequest, PassesExpectAboutABodyAndTheWishForTrailers) {
  EXPECT_EQ(forward("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"
                    "TE: gzip;q=1, Trailers\r\n\r\n",
                    kPlain),
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"
            "TE: trailers\r\nConnection: TE\r\n\r\n");
}

TEST(GatewayRequest, TrailersThatWouldChangeTheRequestStay) {
  std::string out = "0\r\n";
  append_gateway_trailers(
      "X-Sum: 1\r\nContent-Length: 5\r\nhost: b\r\nTransfer-Encoding: x\r\nCookie: c\r\n"
      "Authorization: b\r\nX-Forwarded-For: 1\r\nConnection: close\r\nY:2\r\n\r\n",
      out);
  EXPECT_EQ(out, "0\r\nX-Sum: 1\r\nY:2\r\n\r\n");
  out.clear();
  append_gateway_trailers("\r\n", out);
  EXPECT_EQ(out, "\r\n");
}

TEST(GatewayRequest, KnowsIdempotentMethods) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    EXPECT_TRUE(is_idempotent(method)) << method;
  }
  for (const char* method : {"POST", "PATCH", "get", "GETS", "LOCK", ""}) {
    EXPECT_FALSE(is_idempotent(method)) << method;
  }
}

}  // namespace
}  // namespace m2
