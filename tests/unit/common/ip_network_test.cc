// Goal: addresses are read and written in every spelling, networks hold exactly their addresses,
// and a list that is wrong says which entry and what to write.
#include "common/ip_network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace m2 {
namespace {

std::string again(std::string_view text) {
  const auto address = parse_ip(text);
  return address ? ip_text(*address) : "none";
}

bool holds(std::string_view networks, std::string_view address) {
  const Result<NetworkList> list = NetworkList::parse(networks);
  EXPECT_TRUE(list.ok()) << list.message();
  return list.ok() && list.value().contains(parse_ip(address).value_or(IpAddress{}));
}

std::string refusal(std::string_view networks) {
  const Result<NetworkList> list = NetworkList::parse(networks);
  return list.ok() ? "fine" : list.message();
}

TEST(IpAddress, IsReadAndWrittenInItsUsualSpelling) {
  EXPECT_EQ(again("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(again("255.255.255.255"), "255.255.255.255");
  EXPECT_EQ(again("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  EXPECT_EQ(again("::1"), "::1");
  EXPECT_EQ(again("::ffff:192.0.2.1"), "192.0.2.1");
  for (const char* bad : {"", "::", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4",
                          "1.2.3.4:80", "[::1]", "fe80::1%eth0", "localhost", "1:2:3:4:5:6:7:8:9",
                          "unknown", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
    EXPECT_EQ(again(bad), "none") << bad;
  }
  EXPECT_EQ(again(std::string_view("1.2.3.4\0", 8)), "none");
  EXPECT_EQ(ip_text({}), "-");
}

TEST(IpAddress, ComesFromSockets) {
  sockaddr_storage peer{};
  uint16_t port = 1;
  EXPECT_FALSE(ip_of(peer, port).known());
  EXPECT_EQ(port, 0);
  auto& v4 = reinterpret_cast<sockaddr_in&>(peer);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(4711);
  ::inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
  EXPECT_EQ(ip_of(peer, port), *parse_ip("192.0.2.1"));
  EXPECT_EQ(port, 4711);
  peer = {};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(peer);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(80);
  ::inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
  EXPECT_EQ(ip_of(peer, port), *parse_ip("192.0.2.1"));
  EXPECT_EQ(port, 80);
}

TEST(ClientKey, IsOneForAnIpv4AddressAndForAnIpv6Network) {
  const auto key = [](std::string_view text) { return client_key(*parse_ip(text)); };
  EXPECT_EQ(client_key({}), 0u);
  EXPECT_NE(key("192.0.2.1"), key("192.0.2.2"));
  EXPECT_NE(key("0.0.0.0"), 0u);
  EXPECT_NE(key("::1"), 0u);
  EXPECT_NE(key("::1"), key("0.0.0.1"));
  EXPECT_EQ(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::2"));
  EXPECT_NE(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
}

TEST(NetworkList, HoldsWhatIsBehindThePrefix) {
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(holds("192.0.2.4/30", "192.0.2.7"));
  EXPECT_FALSE(holds("192.0.2.4/30", "192.0.2.8"));
  EXPECT_TRUE(holds("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(holds("192.0.2.1", "192.0.2.2"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(holds("2001:db8::/65", "2001:db8::7fff:0:0:1"));
  EXPECT_FALSE(holds("2001:db8::/65", "2001:db8::8000:0:0:1"));
  EXPECT_TRUE(holds("::1/128", "::1"));
  EXPECT_TRUE(holds("127.0.0.1, ::1\t10.0.0.0/8", "10.1.1.1"));
  EXPECT_TRUE(holds("::ffff:10.0.0.0/104", "10.1.1.1"));
}

TEST(NetworkList, KeepsFamiliesApart) {
  EXPECT_TRUE(holds("0.0.0.0/0", "192.0.2.1"));
  EXPECT_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(holds("::/0", "2001:db8::1"));
  EXPECT_FALSE(holds("::/0", "192.0.2.1"));
  EXPECT_FALSE(holds("::/0, 0.0.0.0/0", "none"));
  EXPECT_TRUE(holds("unix", "none"));
  EXPECT_FALSE(holds("unix", "127.0.0.1"));
}

TEST(NetworkList, IsEmptyWithoutEntries) {
  for (const char* text : {"", " ", ", ,"}) {
    const Result<NetworkList> list = NetworkList::parse(text);
    ASSERT_TRUE(list.ok());
    EXPECT_TRUE(list.value().empty());
    EXPECT_FALSE(list.value().contains(*parse_ip("127.0.0.1")));
  }
}

TEST(NetworkList, SaysWhatIsWrong) {
  EXPECT_EQ(refusal("10.0.0.1, 10.0.0.1/8"),
            "\"10.0.0.1/8\" has bits behind its prefix; write \"10.0.0.0/8\"");
  EXPECT_EQ(refusal("2001:db8::1/32"),
            "\"2001:db8::1/32\" has bits behind its prefix; write \"2001:db8::/32\"");
  EXPECT_EQ(refusal("10.0.0.0/33"),
            "\"10.0.0.0/33\": the length of the prefix must be from 0 to 32");
  for (const char* bad : {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "10.0.0.0/ 8"}) {
    EXPECT_NE(refusal(bad).find("prefix"), std::string::npos) << bad;
  }
  for (const char* bad : {"localhost", "10", "10.0.0.0-10.0.0.9", "any", "[::1]", "/8", "UNIX"}) {
    EXPECT_NE(refusal(bad).find("is no network"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace m2
