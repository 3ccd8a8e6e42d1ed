// Goal: counts by address are exact and take no memory when nobody is there; a peer survives its
// way from one worker to another.
#include "worker/http/admission.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/owned_fd.h"
#include "common/treaty/messages.h"
#include "worker/http/client_peer.h"

namespace m2 {
namespace {

TEST(AddressCounts, LetInAsManyAsMayCome) {
  AddressCounts counts;
  for (uint64_t key = 1; key <= 1000; ++key) {
    EXPECT_TRUE(counts.enter(key, 2));
    EXPECT_TRUE(counts.enter(key, 2));
    EXPECT_FALSE(counts.enter(key, 2));
    EXPECT_FALSE(counts.enter(key, 1));
    EXPECT_TRUE(counts.enter(key, 3));
  }
  EXPECT_EQ(counts.size(), 1000u);
  for (uint64_t key = 1; key <= 1000; ++key) {
    counts.leave(key);
    EXPECT_TRUE(counts.enter(key, 3));
    for (int i = 0; i < 3; ++i) counts.leave(key);
  }
  EXPECT_EQ(counts.size(), 0u);
  counts.leave(7);  // nobody there
  EXPECT_EQ(counts.size(), 0u);
}

TEST(ClientPeer, SurvivesItsWay) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const OwnedFd one(ends[0]), other(ends[1]);
  ClientPeer peer;
  for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
    peer.address = *parse_ip(address);
    peer.port = 65535;
    const auto again = passed_on_peer(one.get(), passed_on_line(peer));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->address, peer.address);
    EXPECT_EQ(again->port, 65535);
    EXPECT_FALSE(again->sends_proxy_header);
  }
  peer.over_tls = true;
  EXPECT_TRUE(passed_on_peer(one.get(), passed_on_line(peer))->over_tls);
  ClientPeer local;  // through a balancer on a unix socket
  local.over_tls = true;
  const auto local_again = passed_on_peer(one.get(), passed_on_line(local));
  ASSERT_TRUE(local_again);
  EXPECT_TRUE(local_again->over_tls);
  EXPECT_FALSE(local_again->address.known());
  peer.sends_proxy_header = true;
  EXPECT_EQ(passed_on_line(peer), kClientSendsProxyHeader);
  const auto silent = passed_on_peer(one.get(), kClientSendsProxyHeader);
  ASSERT_TRUE(silent);
  EXPECT_TRUE(silent->sends_proxy_header);
  EXPECT_FALSE(silent->address.known());
  EXPECT_EQ(passed_on_line(ClientPeer()), "");
  EXPECT_FALSE(passed_on_peer(one.get(), "")->address.known());
  for (const char* bad : {"x", "192.0.2.1", "192.0.2.1 ", "192.0.2.1 65536", "192.0.2.1 1 ", " tls",
                          "x tls", "192.0.2.1 tls", "192.0.2.1 1 tls "}) {
    EXPECT_FALSE(passed_on_peer(one.get(), bad)) << bad;
  }
  EXPECT_FALSE(passed_on_peer(-1, ""));  // gone
}

}  // namespace
}  // namespace m2
