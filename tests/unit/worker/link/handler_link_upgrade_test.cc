// Goal: two servers share the listening sockets of a pair, and handlers are never connected to
// both: the new one does not listen before it is told, the old one is gone once it has left.
// Method: two links on duplicates of the same sockets, a plain handler.
#include <gtest/gtest.h>

#include "tests/unit/worker/link/link_fixture.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;

class LinkUpgradeTest : public test::LinkFixture {
 protected:
  HandlerLinkOptions duplicate(const HandlerLinkOptions& options) {
    HandlerLinkOptions same;
    same.send_spec = same.requests_endpoint = options.send_spec;
    same.recv_spec = same.replies_endpoint = options.recv_spec;
    same.requests_fd = options.requests_fd.duplicate();
    same.replies_fd = options.replies_fd.duplicate();
    same.wait_ms = options.wait_ms;
    return same;
  }
};

TEST_F(LinkUpgradeTest, HeldEndpointsWaitForTheWord) {
  HandlerLinkOptions options = direct();
  options.requests_held = options.replies_held = true;
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(link->submit(1, "one"));
  EXPECT_EQ(link->waiting(), 1u);
  link->listen("tcp://127.0.0.1:1");  // not of this pair
  link->listen(link->send_spec());
  ASSERT_TRUE(turns.until([&, turn = 0]() mutable { return ++turn == 50; }));
  EXPECT_FALSE(link->has_handlers());
  link->listen(link->recv_spec());
  EXPECT_EQ(receive(handler.requests), "one");
  EXPECT_EQ(link->waiting(), 0u);
  link->listen(link->recv_spec());  // twice is once
}

TEST_F(LinkUpgradeTest, HandlersGoFromOneServerToTheOther) {
  HandlerLinkOptions options = direct();
  HandlerLinkOptions theirs = duplicate(options);
  theirs.requests_held = theirs.replies_held = true;
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(link->submit(1, "old"));
  EXPECT_EQ(receive(handler.requests), "old");

  const std::unique_ptr<HandlerLink> old = std::move(link);
  open(std::move(theirs));
  ASSERT_TRUE(link->submit(2, "new"));
  EXPECT_EQ(receive_text(handler.requests), std::nullopt);
  old->notify(1, "last");
  old->leave();
  EXPECT_FALSE(old->submit(3, "more"));
  EXPECT_FALSE(old->has_handlers());
  old->notify(1, "later");
  EXPECT_EQ(old->waiting(), 0u);
  link->listen(link->send_spec());
  link->listen(link->recv_spec());
  EXPECT_EQ(receive(handler.requests), "last");
  EXPECT_EQ(receive(handler.requests), "new");
  EXPECT_TRUE(link->has_handlers());
}

}  // namespace
}  // namespace m2
