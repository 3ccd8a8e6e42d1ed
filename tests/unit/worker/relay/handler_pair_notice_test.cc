// Goal: the handlers of a pair hear once of each connection that ended, whoever notices first: its
// worker, the relay when the worker is dead, or a reply that crossed the notice. Method: as in
// handler_pair_test.cc.
#include "tests/unit/worker/relay/pair_fixture.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::send_text;
using Worker = test::PairWorker;
class HandlerPairNoticeTest : public test::PairFixture {
 protected:
  void reply(HandlerPeer& handler, const std::string& id) {
    send_text(handler.replies, "x " + std::to_string(id.size()) + ":" + id + ", body");
  }
};

TEST_F(HandlerPairNoticeTest, AnswersForSlotsThatHaveNoWorker) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  const std::string gone = std::to_string(first_connection_id(7, 500) + 3);
  const std::string size = std::to_string(gone.size());
  send_text(handler->replies, "x " + size + ":" + gone + ", ");  // a close asks for no answer
  send_text(handler->replies, "x " + size + ":" + gone + ", body");
  const std::string notice =
      "sender " + gone + " @* 17:{\"METHOD\":\"JSON\"},21:{\"type\":\"disconnect\"},";
  EXPECT_EQ(receive(*handler), notice);
  ASSERT_TRUE(zero.submit(1));
  EXPECT_EQ(receive(*handler), zero.request(1));  // and not a second notice
}

// The handlers hear of each connection they were told of, once, and of no other.
TEST_F(HandlerPairNoticeTest, TellsHandlersOfTheConnectionsOfADeadWorker) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001);
  add(zero);
  add(one);
  auto handler = start_handler();
  warm_up(zero, *handler);
  std::vector<std::string> expected;
  for (uint64_t number = 1; number <= 40; ++number) {
    ASSERT_TRUE(one.submit(number));
    ASSERT_TRUE(zero.submit(number));
    if (number > 10) expected.push_back(one.notice(number));
  }
  for (uint64_t number = 1; number <= 10; ++number) one.leave(number);
  ASSERT_TRUE(one.submit(40));  // a second request of the same connection
  receive(*handler, 91);
  one.link.reset();
  pair->remove_worker(one.name);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(receive(*handler, 30), expected);
  ASSERT_TRUE(zero.submit(41));
  EXPECT_EQ(receive(*handler), zero.request(41));  // nothing else was in between
  EXPECT_EQ(pair->drops().notices, 0u);
}

// A reply in flight when its worker dies: the relay tells of the connection because of the death,
// and not again because of the reply.
TEST_F(HandlerPairNoticeTest, AReplyThatCrossesTheDeathOfItsWorkerBringsNoSecondNotice) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001);
  add(zero);
  add(one);
  auto handler = start_handler();
  warm_up(zero, *handler);
  ASSERT_TRUE(one.submit(1));
  ASSERT_TRUE(one.submit(2));
  receive(*handler, 2);
  one.link.reset();
  pair->remove_worker(one.name);
  reply(*handler, one.text_id(1));
  EXPECT_EQ(receive(*handler, 2), (std::vector<std::string>{one.notice(1), one.notice(2)}));
  reply(*handler, one.text_id(2));
  reply(*handler, zero.text_id(5));  // behind it in the same stream, to a worker that is there
  ASSERT_TRUE(turns.until([&] { return zero.replies.size() == 1; }));
  ASSERT_TRUE(zero.submit(6));
  EXPECT_EQ(receive(*handler), zero.request(6));  // nothing else was in between
}

// Of connections that ended as was agreed nobody is told, also when their worker dies.
TEST_F(HandlerPairNoticeTest, NobodyIsToldOfThoseThatParted) {
  constexpr uint64_t kParted = 256;  // as many as one word has
  open();
  Worker one(turns, directory, 1, 1001);
  add(one);
  auto handler = start_handler();
  warm_up(one, *handler);
  for (uint64_t number = 1; number <= kParted + 1; ++number) ASSERT_TRUE(one.submit(number));
  receive(*handler, kParted + 1);
  for (uint64_t number = 1; number <= kParted; ++number) one.link->forget(one.id(number));
  ASSERT_TRUE(one.submit(300));  // behind that word
  EXPECT_EQ(receive(*handler), one.request(300));
  one.link.reset();
  pair->remove_worker(one.name);
  std::vector<std::string> notices = {one.notice(kParted + 1), one.notice(300)};
  EXPECT_EQ(receive(*handler, 2), notices);
  Worker other(turns, directory, 0, 1002);
  add(other);
  ASSERT_TRUE(other.submit(6));
  EXPECT_EQ(receive(*handler), other.request(6));
}

// The worker's own notice, of which the dead worker's list must not make a second one.
TEST_F(HandlerPairNoticeTest, ANoticeThatWaitedWhenItsWorkerDiedIsTheOnlyOne) {
  open();
  Worker zero(turns, directory, 0, 1000), one(turns, directory, 1, 1001);
  add(zero);
  add(one);
  auto handler = start_handler();
  warm_up(one, *handler);
  ASSERT_TRUE(one.submit(1));
  EXPECT_EQ(receive(*handler), one.request(1));
  handler.reset();
  ASSERT_TRUE(turns.until([&] { return !pair->has_handlers(); }));
  const size_t before = pair->waiting();
  // The worker may know already that no handler is there and keep it: then this shows nothing.
  one.leave(1);
  ASSERT_TRUE(turns.until([&] { return pair->waiting() > before || !one.link->has_handlers(); }));
  one.link.reset();
  pair->remove_worker(one.name);
  handler = start_handler();
  EXPECT_EQ(receive(*handler), one.notice(1));
  ASSERT_TRUE(zero.submit(6));
  EXPECT_EQ(receive(*handler), zero.request(6));
}

// The worker lives: its client left, the handlers were told, and then comes the reply.
TEST_F(HandlerPairNoticeTest, AReplyThatCrossesTheNoticeOfALiveWorkerBringsNoSecondOne) {
  open();
  Worker zero(turns, directory, 0, 1000);
  add(zero);
  auto handler = start_handler();
  warm_up(zero, *handler);
  ASSERT_TRUE(zero.submit(1));
  EXPECT_EQ(receive(*handler), zero.request(1));
  zero.leave(1);
  EXPECT_EQ(receive(*handler), zero.notice(1));
  reply(*handler, zero.text_id(1));
  ASSERT_TRUE(turns.until([&] { return zero.replies.size() == 1; }));
  zero.leave(1);  // as the worker does with a reply for somebody it does not have
  pair->remove_worker(zero.name);
  reply(*handler, zero.text_id(1));
  Worker other(turns, directory, 1, 1001);
  add(other);
  ASSERT_TRUE(other.submit(6));
  EXPECT_EQ(receive(*handler), other.request(6));
}

}  // namespace
}  // namespace m2
