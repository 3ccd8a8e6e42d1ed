// Goal: what handlers may order, and what is wrong with everything else.
#include "proto/websocket/order.h"

#include <gtest/gtest.h>

#include "proto/handler/netstring.h"

namespace m2 {
namespace {

std::string order(std::string_view kind, std::string_view value, char tag = ',',
                  std::string_view key = "websocket") {
  std::string pair;
  append_netstring(pair, kind);
  append_netstring(pair, value, tag);
  std::string inside;
  append_netstring(inside, key);
  append_netstring(inside, pair, '}');
  std::string list;
  append_netstring(list, inside, ']');
  return list;
}

TEST(WebSocketOrder, Messages) {
  const std::string bytes("\0\xFF:,", 4);
  const std::string binary = order("binary", bytes);
  EXPECT_TRUE(is_websocket_order(binary));
  const auto read = read_websocket_order(binary);
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_EQ(read.value().kind, WebSocketOrder::Kind::kBinary);
  EXPECT_EQ(read.value().payload, bytes);
  const std::string text = order("text", "");
  EXPECT_EQ(read_websocket_order(text).value().kind, WebSocketOrder::Kind::kText);
}

TEST(WebSocketOrder, Close) {
  const std::string close = order("close", "4001 come back later");
  const auto read = read_websocket_order(close);
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_EQ(read.value().code, static_cast<CloseCode>(4001));
  EXPECT_EQ(read.value().payload, "come back later");
  const std::string number = order("close", "1000", '#');
  EXPECT_TRUE(read_websocket_order(number).ok());
  for (const std::string_view bad : {"", "1005", "1006 x", "999", "70000", "4000x", "bye"}) {
    const std::string text = order("close", bad);
    EXPECT_FALSE(read_websocket_order(text).ok()) << bad;
  }
}

TEST(WebSocketOrder, Nonsense) {
  EXPECT_FALSE(is_websocket_order("27:3:ctl,17:10:keep-alive,0:,}]"));
  EXPECT_FALSE(is_websocket_order(""));
  const std::string good = order("text", "hello");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_websocket_order(good.substr(0, size)).ok());
  }
  EXPECT_FALSE(read_websocket_order(good + "x").ok());
  EXPECT_FALSE(read_websocket_order(order("shout", "x")).ok());
  EXPECT_FALSE(read_websocket_order(order("text", "5", '#')).ok());
  EXPECT_FALSE(read_websocket_order("99999999999999999999999:x").ok());
}

}  // namespace
}  // namespace m2
