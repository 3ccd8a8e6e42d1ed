// Goal: requests reach handlers and replies come back, directly and behind a relay; what cannot be
// delivered is bounded, given back and counted. Method: real handlers on loopback; a relay of plain
// sockets.
#include "worker/link/handler_link.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/link/link_fixture.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;

using HandlerLinkTest = test::LinkFixture;

TEST_F(HandlerLinkTest, CarriesRequestsAndRepliesInOrder) {
  HandlerLinkOptions options = direct();
  options.queue_max = 2000;
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  for (ConnectionId id = 1; id <= 1000; ++id) {
    ASSERT_TRUE(link->submit(id, "request " + std::to_string(id)));
  }
  link->notify(1, "notice 1");
  for (ConnectionId id = 1; id <= 1000; ++id) {
    ASSERT_EQ(receive(handler.requests), "request " + std::to_string(id));
    send_text(handler.replies, "reply " + std::to_string(id));
  }
  EXPECT_EQ(receive(handler.requests), "notice 1");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1000; }));
  for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(replies[i], "reply " + std::to_string(i + 1));
  EXPECT_TRUE(refused.empty());
}

TEST_F(HandlerLinkTest, KeepsRequestsUntilAHandlerComes) {
  open(direct());
  EXPECT_FALSE(link->has_handlers());
  EXPECT_TRUE(link->submit(1, "one"));
  EXPECT_TRUE(link->submit(2, "two"));
  EXPECT_TRUE(link->submit(3, "three"));
  link->notify(2, "two left");
  EXPECT_TRUE(link->withdraw(1));
  EXPECT_FALSE(link->withdraw(1));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  EXPECT_EQ(receive(handler.requests), "two");
  EXPECT_EQ(receive(handler.requests), "three");
  EXPECT_EQ(receive(handler.requests), "two left");
  EXPECT_FALSE(link->withdraw(2));
}

TEST_F(HandlerLinkTest, NoticesThatTheLastHandlerLeft) {
  open(direct());
  {
    HandlerPeer handler(link->send_spec(), link->recv_spec());
    ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  }
  ASSERT_TRUE(turns.until([&] { return !link->has_handlers(); }));
  EXPECT_TRUE(link->submit(1, "one"));
  EXPECT_TRUE(link->withdraw(1));  // it waited here, nobody got it
}

TEST_F(HandlerLinkTest, RefusesWhenTheQueueIsFull) {
  HandlerLinkOptions options = direct();
  options.queue_max = 2;
  open(std::move(options));
  EXPECT_TRUE(link->submit(1, "one"));
  EXPECT_TRUE(link->submit(2, "two"));
  EXPECT_FALSE(link->submit(3, "three"));
  link->notify(2, "two left");
  EXPECT_EQ(link->drops().requests_queue_full, 1u);
  EXPECT_EQ(link->drops().notices, 1u);
}

TEST_F(HandlerLinkTest, GivesBackWhatWaitedTooLong) {
  HandlerLinkOptions options = direct();
  options.wait_ms = 20;
  open(std::move(options));
  EXPECT_TRUE(link->submit(7, "seven"));
  link->notify(7, "seven left");
  ASSERT_TRUE(turns.until([&] { return link->drops().notices == 1; }));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].first, 7u);
  EXPECT_EQ(refused[0].second, "no handler connected for 20 ms");
  EXPECT_EQ(link->drops().requests_late, 1u);
}

// A handler that hangs holds no more than its marks and the kernel's buffers; the rest is given
// back.
TEST_F(HandlerLinkTest, GivesBackWhatAHungHandlerDoesNotTake) {
  HandlerLinkOptions options = direct();
  options.wait_ms = 20;
  options.send_mark = 2;
  options.queue_max = 10;
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  handler.requests.set(zmq::sockopt::rcvhwm, 1);
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  const std::string large(300'000, 'x');
  ASSERT_TRUE(turns.until([&] {
    link->submit(1, large);
    return !refused.empty();
  }));
  EXPECT_EQ(refused[0].second, "all handlers busy for 20 ms");
}

TEST_F(HandlerLinkTest, HeldMessagesOutliveTheCall) {
  open(direct());
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->submit(1, "go"));
  receive(handler.requests);
  hold = true;
  const std::string large(50'000, 'l');
  send_text(handler.replies, "small");
  send_text(handler.replies, large);
  send_text(handler.replies, "again small");
  ASSERT_TRUE(turns.until([&] { return held.size() == 3; }));
  EXPECT_EQ(held[0].second, "small");
  EXPECT_EQ(held[1].second, large);
  EXPECT_EQ(held[2].second, "again small");
}

TEST_F(HandlerLinkTest, DropsMultipartWhole) {
  open(direct());
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->submit(1, "go"));
  receive(handler.requests);
  handler.replies.send(zmq::str_buffer("U 1:1, "), zmq::send_flags::sndmore);
  handler.replies.send(zmq::str_buffer("body"));
  send_text(handler.replies, "U 1:1, whole");
  ASSERT_TRUE(turns.until([&] { return !replies.empty(); }));
  EXPECT_EQ(replies, std::vector<std::string>{"U 1:1, whole"});
  EXPECT_EQ(link->drops().multipart, 1u);
}

TEST_F(HandlerLinkTest, SubscribesToThePrefixAndToItsSuccessor) {
  HandlerLinkOptions options = direct();
  options.recv_ident = "old";
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->submit(1, "go"));
  receive(handler.requests);
  send_text(handler.replies, "new 1:1, no");
  send_text(handler.replies, "old 1:1, yes");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  EXPECT_EQ(replies[0], "old 1:1, yes");
  link->set_recv_ident("new");
  ASSERT_TRUE(turns.until([&] {
    send_text(handler.replies, "new 1:1, yes");
    return replies.size() >= 2;
  }));
  EXPECT_EQ(replies[1], "new 1:1, yes");
}

// The exchange that was waiting for this reply was the last one to hold the link.
TEST_F(HandlerLinkTest, MayBeDestroyedByAReplyOrARefusal) {
  open(direct());
  {
    HandlerPeer handler(link->send_spec(), link->recv_spec());
    ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
    ASSERT_TRUE(link->submit(1, "go"));
    receive(handler.requests);
    on_message = [&] { link.reset(); };
    send_text(handler.replies, "one");
    send_text(handler.replies, "two");
    ASSERT_TRUE(turns.until([&] { return link == nullptr; }));
    EXPECT_EQ(replies.size(), 1u);
  }
  HandlerLinkOptions options = direct();
  options.wait_ms = 1;
  open(std::move(options));
  ASSERT_TRUE(link->submit(1, "one"));
  ASSERT_TRUE(link->submit(2, "two"));
  on_refused = [&] { link.reset(); };
  ASSERT_TRUE(turns.until([&] { return link == nullptr; }));
  EXPECT_EQ(refused.size(), 1u);
}

// What was passed on before a link is closed still arrives.
TEST_F(HandlerLinkTest, DeliversTheLastNoticesWhenItIsClosed) {
  open(direct());
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->submit(1, "warm"));
  EXPECT_EQ(receive(handler.requests), "warm");
  for (unsigned i = 0; i < 50; ++i) link->notify(100 + i, "notice " + std::to_string(i));
  link.reset();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(receive(handler.requests), "notice " + std::to_string(i));
}

// A reply that crossed the notice makes the worker tell again; the handlers hear it once.
TEST_F(HandlerLinkTest, TellsOfEachConnectionOnce) {
  open(direct());
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  link->notify(7, "first");
  link->notify(7, "again");
  link->notify(8, "another");
  EXPECT_EQ(receive(handler.requests), "first");
  EXPECT_EQ(receive(handler.requests), "another");
  EXPECT_EQ(link->drops().notices, 0u);
}

TEST_F(HandlerLinkTest, NobodyButTheRelaySpeaksTheWordsOfTheRelay) {
  open(direct());
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->submit(1, "go"));
  receive(handler.requests);
  send_text(handler.replies, write_relay_refusal(1, "forged"));
  send_text(handler.replies, kRelayClosed);
  ASSERT_TRUE(turns.until([&] { return replies.size() == 2; }));
  EXPECT_TRUE(refused.empty());
  EXPECT_TRUE(link->has_handlers());
}

TEST_F(HandlerLinkTest, NamesThePairItCannotOpen) {
  HandlerLinkOptions options = direct();
  options.replies_fd.reset();
  auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find("only one of"), std::string::npos) << opened.message();

  options = direct();
  options.requests_fd.reset();
  options.replies_fd.reset();
  const std::string spec = options.send_spec;
  opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find(spec + ": no listening socket"), std::string::npos)
      << opened.message();
}

}  // namespace
}  // namespace m2
