// Goal: a request that was handed to handlers which are gone, or answer too late, is refused once;
// one that waits is not. Method: a link with handlers of plain libzmq sockets that come and go,
// also behind a relay that is played here.
#include "tests/unit/worker/link/link_fixture.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;

class HandlerLinkOwedTest : public test::LinkFixture {
 protected:
  void submit(ConnectionId id, Owed& owed) {
    ASSERT_TRUE(link->submit(id, "request " + std::to_string(id)));
    link->owe(owed, id);
  }
};

TEST_F(HandlerLinkOwedTest, RefusesWhatWasWithHandlersThatAreGone) {
  HandlerLinkOptions options = direct();
  options.grace_ms = 50;
  open(std::move(options));
  Owed read, unread, answered, waiting;
  {
    HandlerPeer handler(link->send_spec(), link->recv_spec());
    ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
    submit(1, read);
    EXPECT_EQ(receive(handler.requests), "request 1");
    submit(2, unread);
    submit(3, answered);
  }
  ASSERT_TRUE(turns.until([&] { return !link->has_handlers(); }));
  submit(4, waiting);
  answered.settle();
  ASSERT_TRUE(turns.until([&] { return refused.size() == 2; }));
  EXPECT_EQ(refused[0].first, 1u);
  EXPECT_EQ(refused[1].first, 2u);
  EXPECT_EQ(statuses, (std::vector<int>{502, 502}));
  EXPECT_EQ(link->drops().requests_gone, 2u);
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  EXPECT_EQ(receive(handler.requests), "request 4");  // and it is that handler's now
}

// Of two handlers, one goes: what it had is lost, and nothing else; the next request goes to the
// one that owes less.
TEST_F(HandlerLinkOwedTest, RefusesWhatOneOfTwoHandlersHad) {
  HandlerLinkOptions options = direct();
  options.grace_ms = 50;
  open(std::move(options));
  auto first = std::make_unique<HandlerPeer>(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  Owed firsts, seconds, again;
  submit(1, firsts);
  EXPECT_EQ(receive(first->requests), "request 1");
  HandlerPeer second(link->send_spec(), link->recv_spec());
  // It joins some time: until then all goes to the first.
  std::optional<std::string> text;
  ASSERT_TRUE(turns.until([&] {
    EXPECT_TRUE(link->submit(2, "probe"));
    receive_text(first->requests);
    return (text = receive_text(second.requests)).has_value();
  }));
  const auto next = [&] {
    while ((text = receive(second.requests)) == "probe") {
    }
    return *text;
  };
  submit(3, seconds);
  EXPECT_EQ(next(), "request 3");
  first.reset();
  ASSERT_TRUE(turns.until([&] { return refused.size() == 1; }));
  EXPECT_EQ(refused[0].first, 1u);
  EXPECT_EQ(statuses, std::vector<int>{502});
  EXPECT_TRUE(link->has_handlers());
  submit(4, again);
  EXPECT_EQ(next(), "request 4");
}

TEST_F(HandlerLinkOwedTest, RefusesWhatIsNotAnsweredInTime) {
  HandlerLinkOptions options = direct();
  options.timeout_ms = 50;
  open(std::move(options));
  Owed passed, waiting;
  submit(7, waiting);  // no handler at all
  ASSERT_TRUE(turns.until([&] { return refused.size() == 1; }));
  EXPECT_FALSE(link->holds(7));
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  ASSERT_TRUE(link->submit(1, "warm"));  // nobody owes an answer: it waits until the way is open
  EXPECT_EQ(receive(handler.requests), "warm");
  submit(8, passed);
  EXPECT_EQ(receive(handler.requests), "request 8");
  ASSERT_TRUE(turns.until([&] { return refused.size() == 2; }));
  EXPECT_EQ(refused[1].first, 8u);
  EXPECT_EQ(statuses, (std::vector<int>{504, 504}));
  EXPECT_EQ(link->drops().requests_timeout, 2u);
}

// The one that settles while it waits is not touched when its message leaves.
TEST_F(HandlerLinkOwedTest, ForgetsWhoDoesNotWaitAnyMore) {
  open(direct());
  auto first = std::make_unique<Owed>();
  Owed second;
  submit(1, *first);
  submit(2, second);
  first.reset();
  HandlerPeer handler(link->send_spec(), link->recv_spec());
  EXPECT_EQ(receive(handler.requests), "request 1");
  EXPECT_EQ(receive(handler.requests), "request 2");
}

// Behind a relay: its words say what handlers had. What it had not passed on is not lost with them,
// and only that is lost with the relay itself.
TEST_F(HandlerLinkOwedTest, BelievesTheRelayAboutWhatHandlersHad) {
  HandlerLinkOptions options = behind_relay();
  const std::string requests_at = options.requests_endpoint;
  const std::string replies_at = options.replies_endpoint;
  options.worker_id = 77;
  options.grace_ms = 50;
  open(std::move(options));
  auto context = std::make_unique<zmq::context_t>(1);
  auto requests = std::make_unique<zmq::socket_t>(*context, ZMQ_PULL);
  auto words = std::make_unique<zmq::socket_t>(*context, ZMQ_PUSH);
  requests->connect(requests_at);
  words->connect(replies_at);
  EXPECT_EQ(receive(*requests), "@worker here 77");
  send_text(*words, kRelayOpen);
  EXPECT_EQ(receive(*requests), "@worker 77 0");
  std::array<Owed, 4> owed;
  for (unsigned at = 0; at < 4; ++at) submit(at + 1, owed[at]);
  send_text(*words, write_relay_passed(2));
  send_text(*words, kRelayClosed);
  ASSERT_TRUE(turns.until([&] { return refused.size() == 2; }));
  EXPECT_EQ(refused[0].first, 1u);
  EXPECT_EQ(refused[1].first, 2u);
  owed[0].settle();
  owed[1].settle();
  send_text(*words, write_relay_passed(3));  // heard before "open"
  send_text(*words, kRelayOpen);
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  for (unsigned at = 0; at < 4; ++at) receive(*requests);
  EXPECT_EQ(receive(*requests), "@worker 77 4");
  requests.reset();
  words.reset();
  context.reset();
  ASSERT_TRUE(turns.until([&] { return refused.size() == 3; }));
  EXPECT_EQ(refused[2].first, 4u);
  EXPECT_EQ(statuses, (std::vector<int>{502, 502, 502}));
}

// One of several handlers at the relay goes: it names what that one had, of what it has passed on.
TEST_F(HandlerLinkOwedTest, BelievesTheRelayAboutOneOfItsHandlers) {
  HandlerLinkOptions options = behind_relay();
  const std::string requests_at = options.requests_endpoint;
  const std::string replies_at = options.replies_endpoint;
  options.worker_id = 77;
  options.grace_ms = 50;
  open(std::move(options));
  zmq::context_t context{1};
  zmq::socket_t requests(context, ZMQ_PULL), words(context, ZMQ_PUSH);
  requests.connect(requests_at);
  words.connect(replies_at);
  send_text(words, kRelayOpen);
  EXPECT_EQ(receive(requests), "@worker here 77");
  EXPECT_EQ(receive(requests), "@worker 77 0");
  std::array<Owed, 4> owed;
  for (unsigned at = 0; at < 4; ++at) submit(at + 1, owed[at]);
  send_text(words, write_relay_passed(3));
  const std::array<ConnectionId, 3> gone = {2, 3, 4}, back = {3, 9, 1};
  send_text(words, write_relay_gone(gone));
  send_text(words, write_relay_back(back));
  ASSERT_TRUE(turns.until([&] { return !refused.empty(); }));
  EXPECT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].first, 2u);
  EXPECT_EQ(statuses, std::vector<int>{502});
}

// The relay's word may come before its socket for requests is connected.
TEST_F(HandlerLinkOwedTest, IntroducesItselfWhenTheRelayCanHear) {
  HandlerLinkOptions options = behind_relay();
  const std::string requests_at = options.requests_endpoint;
  const std::string replies_at = options.replies_endpoint;
  options.worker_id = 77;
  open(std::move(options));
  zmq::context_t context{1};
  zmq::socket_t requests(context, ZMQ_PULL), words(context, ZMQ_PUSH);
  words.connect(replies_at);
  send_text(words, kRelayOpen);
  ASSERT_TRUE(turns.until([&] { return link->has_handlers(); }));
  Owed owed;
  submit(1, owed);
  requests.connect(requests_at);
  EXPECT_EQ(receive(requests), "@worker here 77");
  EXPECT_EQ(receive(requests), "@worker 77 0");
  EXPECT_EQ(receive(requests), "request 1");
}

}  // namespace
}  // namespace m2
