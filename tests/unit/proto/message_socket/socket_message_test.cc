// Messages of JSSockets and XML sockets: what is one, what is refused and where.
#include "proto/message_socket/socket_message.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

using Kind = SocketMessageKind;

SocketMessage good(std::string_view text) {
  const auto parsed = parse_socket_message(text);
  EXPECT_TRUE(parsed.ok()) << text << ": " << (parsed.ok() ? "" : parsed.message());
  return parsed.ok() ? parsed.value() : SocketMessage{};
}

std::string bad(std::string_view text) {
  const auto parsed = parse_socket_message(text);
  EXPECT_FALSE(parsed.ok()) << text;
  return parsed.ok() ? "" : parsed.message();
}

TEST(SocketMessage, Json) {
  const SocketMessage message = good("@chat/room {\"type\":\"join\",\"user\":\"bob\"}");
  EXPECT_EQ(message.kind, Kind::kJson);
  EXPECT_EQ(message.path, "@chat/room");
  EXPECT_EQ(message.body, "{\"type\":\"join\",\"user\":\"bob\"}");
  EXPECT_EQ(good("@ {}").path, "@");
}

TEST(SocketMessage, JsonRefused) {
  EXPECT_EQ(bad("@j?q {}"), "message socket: no blank behind the route at byte 2");
  EXPECT_EQ(bad("@j [1]"), "message socket: no JSON object at byte 3");
  EXPECT_EQ(bad("@j  {}"), "message socket: no JSON object at byte 3");
  EXPECT_EQ(bad("@j {}\n"), "message socket: bytes behind the JSON object at byte 5");
  EXPECT_EQ(bad("@j {\"a\":}"), "message socket: broken JSON in the object at byte 3");
  EXPECT_EQ(bad("@j {\"a\":1}{}"), "message socket: broken JSON in the object at byte 3");
  EXPECT_EQ(bad("@j {\"a\":\"\xff\"}"), "message socket: broken JSON in the object at byte 3");
  EXPECT_EQ(bad("@j"), "message socket: no blank behind the route at byte 2");
}

TEST(SocketMessage, Ping) {
  EXPECT_EQ(good("@chat {\"type\":\"ping\"}").kind, Kind::kPing);
  EXPECT_EQ(good("@chat {\"type\":   \"ping\"}").kind, Kind::kPing);
  EXPECT_EQ(good("@chat {\"type\":\"ping\",\"a\":1}").kind, Kind::kJson);
  EXPECT_EQ(good("@Chat {\"type\":\"ping\"}").kind, Kind::kJson);
}

TEST(SocketMessage, Xml) {
  const SocketMessage message = good("<test a='1'>hi<b/></test>");
  EXPECT_EQ(message.kind, Kind::kXml);
  EXPECT_EQ(message.path, "<test");
  EXPECT_EQ(message.body, "<test a='1'>hi<b/></test>");
  EXPECT_EQ(good("<x.y-Z/>").path, "<x.y-Z");
  EXPECT_EQ(good("<a>1</other>").path, "<a");
  EXPECT_EQ(good("<policy-file-request/>").kind, Kind::kPolicy);
}

TEST(SocketMessage, XmlRefused) {
  bad("<?xml version='1.0'?><a/>");
  bad("<");
  bad("<>");
  bad("<a");
  bad("<a>text");
  bad("<a_b/>");
  bad("<a>x</a>y");
  bad("</a>");
}

TEST(SocketMessage, Answer) {
  using namespace std::string_view_literals;
  EXPECT_EQ(encode_socket_answer("{\"type\":\"ok\"}"), "eyJ0eXBlIjoib2sifQ==\0"sv);
  EXPECT_EQ(encode_socket_answer("{\"type\":\"ok\"}\0"sv), "eyJ0eXBlIjoib2sifQ==\0"sv);
  EXPECT_EQ(encode_socket_answer("\xff\xfe\xfd"), "//79\0"sv);
  EXPECT_EQ(encode_socket_answer("ab"), "YWI=\0"sv);
  EXPECT_EQ(encode_socket_answer(""), "\0"sv);
  EXPECT_TRUE(socket_policy().ends_with("</cross-domain-policy>\0"sv));
}

}  // namespace
}  // namespace m2
