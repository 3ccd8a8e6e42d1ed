// What the verdict of a reload says of the clients that were held.
#include "common/treaty/held_clients.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(HeldClientsTest, NumbersHaveSeparators) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(1000), "1,000");
  EXPECT_EQ(with_separators(8431), "8,431");
  EXPECT_EQ(with_separators(1234567), "1,234,567");
}

TEST(HeldClientsTest, SaysOnlyWhatWasThere) {
  HeldClients held;
  EXPECT_EQ(held.text(), "");
  held.add(HeldAs::kRequest, true);
  EXPECT_EQ(held.text(), "1 of 1 requests in flight stay");
  held.add(HeldAs::kWebSocket, false);
  for (int i = 0; i < 1200; ++i) held.add(HeldAs::kWebSocket, true);
  EXPECT_EQ(held.text(), "1,200 of 1,201 WebSockets stay, 1 of 1 requests in flight stay");
}

TEST(HeldClientsTest, WorkersAreSummed) {
  HeldClients one, other, sum;
  one.add(HeldAs::kMessageSocket, true);
  one.add(HeldAs::kTunnel, false);
  other.add(HeldAs::kMessageSocket, false);
  sum.add(one);
  sum.add(other);
  EXPECT_EQ(sum.text(), "1 of 2 message sockets stay, 0 of 1 proxied WebSockets stay");
}

TEST(HeldClientsTest, SurvivesTheWay) {
  HeldClients held;
  held.add(HeldAs::kWebSocket, true);
  held.add(HeldAs::kWebSocket, false);
  held.add(HeldAs::kRequest, true);
  EXPECT_EQ(HeldClients::parse(held.line()), held);
  EXPECT_EQ(HeldClients::parse(HeldClients().line()), HeldClients());
}

TEST(HeldClientsTest, GarbageIsNone) {
  for (const char* text : {"", "1", "1 2 3 4", "1 1 1 1 1 1 1 1", "2 1 0 0 0 0 0 0 ",
                           "a b c d e f g h ", "0 0 0 0 0 0 0 0 0 ", "-1 0 0 0 0 0 0 0 ",
                           "99999999999999999999 99999999999999999999 0 0 0 0 0 0 "}) {
    EXPECT_FALSE(HeldClients::parse(text)) << text;
  }
}

}  // namespace
}  // namespace m2
