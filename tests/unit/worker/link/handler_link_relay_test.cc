// Goal: behind a relay a link does what the relay says, keeps its endpoints to itself, and moves
// there and back without losing anything. Method: a relay of plain sockets.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/worker/link/link_fixture.h"
#include "worker/link/handler_link.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;

class LinkBehindRelayTest : public test::LinkFixture {
 protected:
  void pass(double seconds) {
    const double until = turns.loop.now() + seconds;
    ASSERT_TRUE(turns.until([&] { return turns.loop.now() > until; }));
  }
};

class PlainRelay {
 public:
  explicit PlainRelay(const test::TempDir& directory) {
    requests.connect(directory.ipc("q"));
    replies.connect(directory.ipc("r"));
  }

 private:
  zmq::context_t context_{1};

 public:
  zmq::socket_t requests{context_, ZMQ_PULL};
  zmq::socket_t replies{context_, ZMQ_PUSH};
};

TEST_F(LinkBehindRelayTest, WaitsForTheWordOfTheRelay) {
  open(behind_relay());
  PlainRelay relay(directory);
  ASSERT_TRUE(link->submit(1, "one"));
  send_text(relay.replies, "U 1:1, a reply");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  EXPECT_FALSE(link->has_handlers());
  send_text(relay.replies, kRelayOpen);
  EXPECT_EQ(receive(relay.requests), "one");
  EXPECT_TRUE(link->has_handlers());
  ASSERT_TRUE(link->submit(2, "two"));
  EXPECT_EQ(receive(relay.requests), "two");
  send_text(relay.replies, kRelayClosed);
  ASSERT_TRUE(turns.until([&] { return !link->has_handlers(); }));
  ASSERT_TRUE(link->submit(3, "three"));
  EXPECT_TRUE(link->withdraw(3));
}

// The first word of the relay may be read before the report that the relay has connected at all.
TEST_F(LinkBehindRelayTest, HearsTheFirstWordOfEveryRelay) {
  for (int start = 0; start < 100; ++start) {
    open(behind_relay());
    PlainRelay relay(directory);
    send_text(relay.replies, kRelayOpen);
    ASSERT_TRUE(link->submit(1, "one"));
    ASSERT_EQ(receive(relay.requests), "one") << start;
    for (int turn = 0; turn < 3; ++turn) turns.loop.run_once();
    ASSERT_TRUE(link->has_handlers()) << start;
    link.reset();
  }
}

TEST_F(LinkBehindRelayTest, TakesRefusalsFromTheRelay) {
  open(behind_relay());
  PlainRelay relay(directory);
  send_text(relay.replies, write_relay_refusal(77, "all handlers busy"));
  send_text(relay.replies, "@relay sings");
  send_text(relay.replies, "U 1:1, after");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].first, 77u);
  EXPECT_EQ(refused[0].second, "all handlers busy");
  EXPECT_EQ(link->drops().requests_relay, 1u);
}

TEST_F(LinkBehindRelayTest, ARelayThatIsGoneHasNoHandlers) {
  open(behind_relay());
  {
    PlainRelay relay(directory);
    send_text(relay.replies, kRelayOpen);
    ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  }
  ASSERT_TRUE(turns.until([&] { return !link->has_handlers(); }));
  PlainRelay next(directory);
  ASSERT_TRUE(link->submit(1, "one"));
  send_text(next.replies, kRelayOpen);
  EXPECT_EQ(receive(next.requests), "one");
}

// What a relay took along is refused at once, even when its successor is quicker than the news of
// its end: requests after the grace time, what nobody owes an answer for (a message of a WebSocket)
// at once. What it had passed on is not.
TEST_F(LinkBehindRelayTest, WhatARelayTookAlongIsRefused) {
  HandlerLinkOptions options = behind_relay();
  options.grace_ms = 100;
  open(std::move(options));
  auto relay = std::make_unique<PlainRelay>(directory);
  send_text(relay->replies, kRelayOpen);
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  Owed request, passed_on;
  ASSERT_TRUE(link->submit(1, "one"));
  link->owe(passed_on, 1);
  const std::string_view piece = "message";
  ASSERT_TRUE(link->submit_following(2, {&piece, 1}));
  send_text(relay->replies, write_relay_passed(2));
  send_text(relay->replies, "U 1:1, heard");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  ASSERT_TRUE(link->submit(3, "three"));
  link->owe(request, 3);
  ASSERT_TRUE(link->submit_following(4, {&piece, 1}));
  relay.reset();
  PlainRelay next(directory);
  send_text(next.replies, kRelayOpen);
  ASSERT_TRUE(turns.until([&] { return refused.size() == 2; }));
  EXPECT_EQ(refused[0].first, 4u);
  EXPECT_EQ(refused[1].first, 3u);
  ASSERT_TRUE(link->submit(5, "five"));
  EXPECT_EQ(receive(next.requests), "five");
}

// An answer that has begun may lack a part when the relay is another: it ends.
TEST_F(LinkBehindRelayTest, AnswersThatHadBegunAreTornWithTheirRelay) {
  open(behind_relay());
  auto relay = std::make_unique<PlainRelay>(directory);
  send_text(relay->replies, kRelayOpen);
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  Owed begun, waits;
  ASSERT_TRUE(link->submit(1, "one"));
  link->owe(begun, 1);
  ASSERT_TRUE(link->submit(2, "two"));
  link->owe(waits, 2);
  begun.answer_came();
  send_text(relay->replies, write_relay_passed(2));
  send_text(relay->replies, "U 1:1, heard");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  relay.reset();
  ASSERT_TRUE(turns.until([&] { return !refused.empty(); }));
  EXPECT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].first, 1u);
}

// A relay is told whom handlers know, so that it can tell them of the end.
TEST_F(LinkBehindRelayTest, SaysWhomHandlersKnow) {
  HandlerLinkOptions options = behind_relay();
  options.worker_id = 9;
  known = {7, 8};
  open(std::move(options));
  PlainRelay relay(directory);
  send_text(relay.replies, kRelayOpen);
  EXPECT_EQ(receive(relay.requests), "@worker here 9");
  EXPECT_EQ(receive(relay.requests), "@worker 9 0");
  EXPECT_EQ(receive(relay.requests), "@worker told 7 8");
  std::vector<ConnectionId> read;
  EXPECT_TRUE(read_worker_told("@worker told 7 8", [&](ConnectionId id) { read.push_back(id); }));
  EXPECT_EQ(read, known);
  EXPECT_FALSE(read_worker_told("@worker 9 0", [](ConnectionId) {}));
  EXPECT_EQ(read_worker_settled(write_worker_settled(9)), 9u);
  EXPECT_EQ(read_worker_settled("@worker 9 0"), 0u);
  EXPECT_EQ(read_worker_word(write_worker_settled(9)).id, 0u);
}

// From one worker to several, in the midst of work: nothing that waits is lost, late answers are
// heard, and the handler finds itself connected to whoever listens now (here nobody: it is only let
// go).
TEST_F(LinkBehindRelayTest, MovesBehindTheRelay) {
  open(direct());
  ASSERT_TRUE(link->submit(1, "one"));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  EXPECT_EQ(receive(handler.requests), "one");
  ASSERT_TRUE(link->prepare_move(turns.context, behind_relay()).ok());
  ASSERT_TRUE(link->submit(2, "two"));  // prepared is not committed
  EXPECT_EQ(receive(handler.requests), "two");
  ASSERT_TRUE(link->has_handlers());

  link->commit_move();
  EXPECT_FALSE(link->has_handlers());
  ASSERT_TRUE(link->submit(3, "three"));
  send_text(handler.replies, "U 1:1, late");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  PlainRelay relay(directory);
  send_text(relay.replies, kRelayOpen);
  EXPECT_EQ(receive(relay.requests), "three");
  EXPECT_EQ(receive_text(handler.requests), std::nullopt);
}

TEST_F(LinkBehindRelayTest, MovesOutFromBehindTheRelay) {
  open(behind_relay());
  auto relay = std::make_unique<PlainRelay>(directory);
  send_text(relay->replies, kRelayOpen);
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->submit(1, "one"));
  EXPECT_EQ(receive(relay->requests), "one");

  HandlerLinkOptions options = direct();
  const std::string send_spec = options.send_spec, recv_spec = options.recv_spec;
  ASSERT_TRUE(link->prepare_move(turns.context, std::move(options)).ok());
  link->commit_move();
  EXPECT_FALSE(std::filesystem::exists(directory.file("q")));
  ASSERT_TRUE(link->submit(2, "two"));
  HandlerPeer handler(send_spec, recv_spec);
  EXPECT_EQ(receive(handler.requests), "two");
  send_text(relay->replies, kRelayClosed);  // its handlers are not ours any more
  send_text(relay->replies, "U 1:1, late");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  EXPECT_TRUE(link->has_handlers());
  relay.reset();
  ASSERT_TRUE(link->submit(3, "three"));
  EXPECT_EQ(receive(handler.requests), "three");
}

// What was sent through the relay is answered through it, and the relay hears when that is all;
// then its end is the end of the place.
TEST_F(LinkBehindRelayTest, TellsTheRelayThatItLeftWhenNothingIsOwed) {
  HandlerLinkOptions options = behind_relay();
  options.worker_id = 9;
  open(std::move(options));
  PlainRelay relay(directory);
  send_text(relay.replies, kRelayOpen);
  EXPECT_EQ(receive(relay.requests), "@worker here 9");
  EXPECT_EQ(receive(relay.requests), "@worker 9 0");
  Owed before, after;
  ASSERT_TRUE(link->submit(1, "one"));
  link->owe(before, 1);
  EXPECT_EQ(receive(relay.requests), "one");
  options = direct();
  options.handlers_ms = 60'000;
  options.worker_id = 9;
  ASSERT_TRUE(link->prepare_move(turns.context, std::move(options)).ok());
  link->commit_move();
  ASSERT_TRUE(link->submit(2, "two"));
  link->owe(after, 2);
  pass(0.3);
  EXPECT_EQ(receive_text(relay.requests), std::nullopt);
  send_text(relay.replies, "U 1:1, late");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  before.settle();
  EXPECT_EQ(receive(relay.requests), "@worker settled 9");
  pass(0.2);
  EXPECT_EQ(receive_text(relay.requests), std::nullopt);  // once
}

// The same for handlers of our own: both their connections stay until they owe nothing.
TEST_F(LinkBehindRelayTest, HandlersStayForWhatTheyOwe) {
  HandlerLinkOptions options = direct();
  options.handlers_ms = 60'000;
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  Owed owed;
  ASSERT_TRUE(link->submit(1, "one"));
  link->owe(owed, 1);
  EXPECT_EQ(receive(handler.requests), "one");
  test::Ends ends(handler.requests);
  ASSERT_TRUE(link->prepare_move(turns.context, behind_relay()).ok());
  link->commit_move();
  pass(0.5);
  EXPECT_EQ(ends.count(), 0);
  send_text(handler.replies, "U 1:1, late");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  owed.settle();
  ASSERT_TRUE(turns.until([&] { return ends.count() > 0; }));
  EXPECT_TRUE(refused.empty());
}

// But not for ever. What they hold then is theirs to answer from where the pair is.
TEST_F(LinkBehindRelayTest, HandlersDoNotStayBeyondTheLimit) {
  HandlerLinkOptions options = direct();
  options.handlers_ms = 100;
  options.grace_ms = 1;
  open(std::move(options));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  Owed owed;
  ASSERT_TRUE(link->submit(1, "one"));
  link->owe(owed, 1);
  EXPECT_EQ(receive(handler.requests), "one");
  test::Ends ends(handler.requests);
  ASSERT_TRUE(link->prepare_move(turns.context, behind_relay()).ok());
  PlainRelay relay(directory);  // there before the commit, without handlers
  send_text(relay.replies, "U 1:1, heard");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 1; }));
  link->commit_move();
  ASSERT_TRUE(turns.until([&] { return ends.count() > 0; }));
  send_text(relay.replies, kRelayOpen);
  send_text(relay.replies, "U 1:1, at last");
  ASSERT_TRUE(turns.until([&] { return replies.size() == 2; }));
  EXPECT_TRUE(refused.empty());
}

TEST_F(LinkBehindRelayTest, AnAbortedMoveChangesNothing) {
  open(direct());
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  ASSERT_TRUE(link->prepare_move(turns.context, behind_relay()).ok());
  link->abort_move();
  EXPECT_FALSE(std::filesystem::exists(directory.file("q")));
  link->commit_move();  // nothing is prepared
  ASSERT_TRUE(link->submit(1, "one"));
  EXPECT_EQ(receive(handler.requests), "one");
}

TEST_F(LinkBehindRelayTest, PrivateEndpointsAreForTheOwnerAloneAndGoWithTheLink) {
  open(behind_relay());
  for (const char* name : {"q", "r"}) {
    struct stat status {};
    ASSERT_EQ(::stat(directory.file(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
  }
  // A second one does not take the place of the first.
  auto opened = HandlerLink::open(turns.loop, turns.context, behind_relay(), *this);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find(directory.ipc("q")), std::string::npos) << opened.message();
  EXPECT_TRUE(std::filesystem::exists(directory.file("q")));

  link->stop_listening();
  EXPECT_FALSE(std::filesystem::exists(directory.file("q")));
  EXPECT_FALSE(std::filesystem::exists(directory.file("r")));
  auto successor = HandlerLink::open(turns.loop, turns.context, behind_relay(), *this);
  ASSERT_TRUE(successor.ok()) << successor.message();
  link.reset();  // leaves the files of its successor alone
  EXPECT_TRUE(std::filesystem::exists(directory.file("q")));
  std::move(successor).value().reset();
  EXPECT_FALSE(std::filesystem::exists(directory.file("q")));
}

TEST_F(LinkBehindRelayTest, SaysThatARunDirectoryIsTooLong) {
  HandlerLinkOptions options = behind_relay();
  options.requests_endpoint = directory.ipc(std::string(120, 'n'));
  auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find("shorter run directory"), std::string::npos) << opened.message();
}

}  // namespace
}  // namespace m2
