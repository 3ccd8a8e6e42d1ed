// Goal: which requests ask for a WebSocket, the accept value of RFC 6455, the faults.
#include "proto/websocket/handshake.h"

#include <gtest/gtest.h>

#include "proto/http/request_parser.h"

namespace m2 {
namespace {

constexpr std::string_view kAsk =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

struct Request {
  explicit Request(std::string text) : bytes(std::move(text)) {
    RequestParser parser{ParserLimits{}};
    EXPECT_EQ(parser.parse(bytes, head), ParseState::kComplete) << parser.reason();
  }
  Request(std::string_view from, std::string_view part, std::string_view instead)
      : Request([&] {
          std::string text(from);
          return text.replace(text.find(part), part.size(), instead);
        }()) {}
  bool asks() const { return asks_for_websocket(head, bytes.data()); }
  int fault() const { return check_handshake(head, bytes.data()).status; }
  std::string bytes;
  RequestHead head;
};

TEST(Handshake, AcceptValue) {
  EXPECT_EQ(accept_value("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(accept_value("x3JJHMbDL1EzLkh9GBhXDw=="), "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST(Handshake, AllFiveFields) {
  EXPECT_TRUE(Request(std::string(kAsk)).asks());
  EXPECT_FALSE(Request(kAsk, "WebSocket\r\n", "h2c\r\n").asks());
  EXPECT_FALSE(Request(kAsk, "keep-alive, Upgrade", "keep-alive").asks());
  EXPECT_FALSE(Request(kAsk, "Sec-WebSocket-Key:", "X-Key:").asks());
  EXPECT_FALSE(Request(kAsk, "Sec-WebSocket-Version:", "X-Version:").asks());
  EXPECT_TRUE(Request(kAsk, "13", "8").asks());  // 1.x does not look
}

TEST(Handshake, Faults) {
  EXPECT_EQ(Request(std::string(kAsk)).fault(), 0);
  EXPECT_EQ(Request(kAsk, "GET", "PUT").fault(), 405);
  EXPECT_EQ(Request(kAsk, "13", "8").fault(), 426);
  EXPECT_EQ(Request(kAsk, "dGhlIHNhbXBsZSBub25jZQ==", "short").fault(), 400);
  EXPECT_EQ(Request(kAsk, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==").fault(), 400);
}

TEST(Handshake, Answer) {
  EXPECT_EQ(handshake_answer("A=", "", ""),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: A=\r\n\r\n");
  EXPECT_NE(handshake_answer("A=", "chat", "ext")
                .find("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: ext\r\n\r\n"),
            std::string::npos);
  EXPECT_EQ(first_token("chat , other"), "chat");
  EXPECT_EQ(first_token("a b"), "");
  EXPECT_EQ(first_token(""), "");
}

}  // namespace
}  // namespace m2
