// Goal: requests reach handlers and replies come back, directly and behind a relay; what cannot be
// delivered is bounded, given back and counted. Method: real handlers on loopback; a relay of plain
// sockets.
#include "worker/link/handler_link.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "tests/unit/worker/link/peers.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;

class HandlerLinkTest : public testing::Test, protected HandlerLinkUser {
 protected:
  void handler_message(HandlerLink&, HandlerMessage& message) override {
    replies.emplace_back(message.bytes());
    if (hold) held.emplace_back(message.hold(), message.bytes());
    if (on_message) on_message();
  }
  void request_refused(HandlerLink&, ConnectionId id, std::string_view why) override {
    refused.emplace_back(id, why);
    if (on_refused) on_refused();
  }

  HandlerLinkOptions direct() {
    HandlerLinkOptions options;
    test::Listener send = test::listen_tcp();
    test::Listener recv = test::listen_tcp();
    options.send_spec = options.requests_endpoint = send.endpoint;
    options.recv_spec = options.replies_endpoint = recv.endpoint;
    options.requests_fd = std::move(send.fd);
    options.replies_fd = std::move(recv.fd);
    options.wait_ms = 60'000;
    return options;
  }
  HandlerLinkOptions behind_relay() {
    HandlerLinkOptions options;
    options.send_spec = "tcp://127.0.0.1:9997";
    options.recv_spec = "tcp://127.0.0.1:9996";
    options.requests_endpoint = directory.ipc("q");
    options.replies_endpoint = directory.ipc("r");
    options.wait_ms = 60'000;
    return options;
  }
  void open(HandlerLinkOptions options) {
    auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    link = std::move(opened).value();
  }
  std::string receive(zmq::socket_t& socket) {
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = receive_text(socket)).has_value(); }));
    return text.value_or("nothing");
  }

  test::Turns turns;
  test::TempDir directory;
  std::unique_ptr<HandlerLink> link;
  std::vector<std::string> replies;
  std::vector<std::pair<ConnectionId, std::string>> refused;
  std::vector<std::pair<std::shared_ptr<const void>, std::string_view>> held;
  std::function<void()> on_message, on_refused;
  bool hold = false;
};

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
  for (int i = 0; i < 50; ++i) link->notify(1, "notice " + std::to_string(i));
  link.reset();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(receive(handler.requests), "notice " + std::to_string(i));
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

// --- behind a relay ---

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

TEST_F(HandlerLinkTest, WaitsForTheWordOfTheRelay) {
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
TEST_F(HandlerLinkTest, HearsTheFirstWordOfEveryRelay) {
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

TEST_F(HandlerLinkTest, TakesRefusalsFromTheRelay) {
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

TEST_F(HandlerLinkTest, ARelayThatIsGoneHasNoHandlers) {
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

// From one worker to several, in the midst of work: nothing that waits is lost, late answers are
// heard, and the handler finds itself connected to whoever listens now (here nobody: it is only let
// go).
TEST_F(HandlerLinkTest, MovesBehindTheRelay) {
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

TEST_F(HandlerLinkTest, MovesOutFromBehindTheRelay) {
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

TEST_F(HandlerLinkTest, AnAbortedMoveChangesNothing) {
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

TEST_F(HandlerLinkTest, PrivateEndpointsAreForTheOwnerAloneAndGoWithTheLink) {
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

TEST_F(HandlerLinkTest, SaysThatARunDirectoryIsTooLong) {
  HandlerLinkOptions options = behind_relay();
  options.requests_endpoint = directory.ipc(std::string(120, 'n'));
  auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find("shorter run directory"), std::string::npos) << opened.message();
}

}  // namespace
}  // namespace m2
