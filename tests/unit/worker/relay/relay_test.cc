// Goal: the relay keeps its end of the reload treaty: a generation is built beside the one in use,
// refused as a whole, and nobody loses a connection that both have. Method: the relay in a thread;
// the test is the master (channel, listening sockets, images), a worker (a real link) and the
// handlers.
#include "worker/relay/relay.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "common/config/image.h"
#include "common/sealed_memory.h"
#include "common/treaty/plan.h"
#include "tests/unit/worker/link/peers.h"
#include "worker/link/handler_link.h"

namespace m2 {
namespace {

using test::HandlerPeer;
using test::receive_text;
using test::send_text;

class RelayTest : public testing::Test, protected ChannelUser, protected HandlerLinkUser {
 protected:
  // --- the master ---
  void channel_message(Message message) override { answers.push_back(std::move(message)); }
  void channel_closed(const std::string&) override { closed = true; }

  void SetUp() override {
    auto ends = channel_pair();
    ASSERT_TRUE(ends.ok()) << ends.message();
    ChannelUser& user = *this;
    master = std::make_unique<Channel>(turns.loop, std::move(ends.value().first), user);
    ChildStart start;
    start.role = Role::kRelay;
    start.channel = std::move(ends.value().second);
    start.run_directory = directory.file("");
    start.run_directory.pop_back();
    relay = std::thread([start = std::move(start)]() mutable {
      Relay self(std::move(start));
      self.run();
    });
  }
  void TearDown() override {
    link.reset();
    master.reset();  // it ends by itself: no worker is left
    relay.join();
  }

  Message message(MessageType type, uint64_t generation, uint64_t number = 0) {
    Message out;
    out.type = type;
    out.generation = generation;
    out.number = number;
    return out;
  }
  // A pair of this name; its sockets are made once and stay the master's.
  HandlerRow pair(const std::string& name) {
    HandlerRow row;
    for (std::string* spec : {&row.send_spec, &row.recv_spec}) {
      *spec = directory.ipc(name + (spec == &row.send_spec ? "-send" : "-recv"));
      if (!sockets.contains(*spec)) sockets[*spec] = test::listen_ipc(*spec).fd;
    }
    row.send_ident = "sender";
    return row;
  }
  void offer(uint64_t generation, const std::string& key, const std::string& endpoint) {
    Message out = message(MessageType::kOffer, generation);
    out.text = key;
    out.descriptors.push_back(sockets[endpoint].duplicate());
    master->send(std::move(out));
  }
  void send_prepare(uint64_t generation, std::string_view image, unsigned workers) {
    Message out = message(MessageType::kPrepare, generation, workers);
    auto sealed = seal_bytes("image", image);
    ASSERT_TRUE(sealed.ok()) << sealed.message();
    out.descriptors.push_back(std::move(sealed).value());
    master->send(std::move(out));
  }
  void prepare(uint64_t generation, const std::vector<HandlerRow>& rows, unsigned workers,
               bool with_sockets = true) {
    Config config;
    ASSERT_TRUE(config.settings.set("upgrade.handlers_ms", "60000").ok());
    config.hosts.resize(1);
    config.handlers = rows;
    config.server.control_port = directory.ipc("control");
    if (!sockets.contains(config.server.control_port)) {
      sockets[config.server.control_port] = test::listen_ipc(config.server.control_port).fd;
    }
    if (with_sockets) {
      for (const HandlerRow& row : rows) {
        offer(generation, zmq_key(row.send_spec), row.send_spec);
        offer(generation, zmq_key(row.recv_spec), row.recv_spec);
      }
      offer(generation, control_key(config.server.control_port), config.server.control_port);
    }
    send_prepare(generation, write_image(config), workers);
  }
  Message answer() {
    EXPECT_TRUE(turns.until([&] { return !answers.empty() || closed; }));
    if (answers.empty()) return {};
    Message first = std::move(answers.front());
    answers.erase(answers.begin());
    return first;
  }
  void reload(uint64_t generation, const std::vector<HandlerRow>& rows, unsigned workers) {
    prepare(generation, rows, workers);
    const Message ready = answer();
    ASSERT_EQ(ready.type, MessageType::kReady) << ready.text;
    master->send(message(MessageType::kCommit, generation));
    const Message swapped = answer();
    ASSERT_EQ(swapped.type, MessageType::kSwapped);
    ASSERT_EQ(swapped.generation, generation);
  }

  // --- worker 0 ---
  void handler_message(HandlerLink&, HandlerMessage& reply) override {
    replies.emplace_back(reply.bytes());
  }
  void request_refused(HandlerLink&, ConnectionId, std::string_view why, int) override {
    refused.emplace_back(why);
  }
  static constexpr uint64_t kIncarnation = 5000;
  ConnectionId id(uint64_t number) { return first_connection_id(0, kIncarnation) + number; }
  std::string request(uint64_t number) {
    return "sender " + std::to_string(id(number)) + " /path 2:{},0:,";
  }
  std::string reply(uint64_t number) {
    const std::string text = std::to_string(id(number));
    return "sender " + std::to_string(text.size()) + ":" + text + ", body";
  }
  HandlerLinkOptions options_of(const HandlerRow& row) {
    HandlerLinkOptions options;
    options.send_spec = row.send_spec;
    options.recv_spec = row.recv_spec;
    options.wait_ms = options.handlers_ms = 60'000;
    options.worker_id = id(0);
    return options;
  }
  HandlerLinkOptions direct(const HandlerRow& row) {
    HandlerLinkOptions options = options_of(row);
    options.requests_endpoint = row.send_spec;
    options.replies_endpoint = row.recv_spec;
    options.requests_fd = sockets[row.send_spec].duplicate();
    options.replies_fd = sockets[row.recv_spec].duplicate();
    return options;
  }
  HandlerLinkOptions behind_relay(const HandlerRow& row) {
    HandlerLinkOptions options = options_of(row);
    const std::string run = std::filesystem::path(directory.file("x")).parent_path();
    options.requests_endpoint = private_endpoint(run, 0, kIncarnation, row.send_spec, row.recv_spec,
                                                 PrivateSide::kRequests);
    options.replies_endpoint =
        private_endpoint(run, 0, kIncarnation, row.send_spec, row.recv_spec, PrivateSide::kReplies);
    return options;
  }
  void start_worker(const HandlerRow& row) {
    auto opened = HandlerLink::open(turns.loop, turns.context, behind_relay(row), *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    link = std::move(opened).value();
  }
  void move(HandlerLinkOptions options) {
    const Status prepared = link->prepare_move(turns.context, std::move(options));
    ASSERT_TRUE(prepared.ok()) << prepared.message();
  }
  void announce(MessageType type) { master->send(message(type, 1, kIncarnation)); }

  // The relay of two workers serves this pair, and worker 0 is there.
  void begin(const HandlerRow& row) {
    reload(1, {row}, 2);
    start_worker(row);
    announce(MessageType::kWorkerUp);
  }

  std::string receive(HandlerPeer& handler) {
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = receive_text(handler.requests)).has_value(); }));
    return text.value_or("nothing");
  }
  void round_trip(HandlerPeer& handler, uint64_t number) {
    ASSERT_TRUE(link->submit(id(number), request(number)));
    ASSERT_EQ(receive(handler), request(number));
    const size_t before = replies.size();
    send_text(handler.replies, reply(number));
    ASSERT_TRUE(turns.until([&] { return replies.size() > before; }));
    ASSERT_EQ(replies.back(), reply(number));
  }
  // A request that the handler has and does not answer yet.
  void leave_owed(HandlerPeer& handler, uint64_t number, Owed& owed) {
    ASSERT_TRUE(link->submit(id(number), request(number)));
    link->owe(owed, id(number));
    ASSERT_EQ(receive(handler), request(number));
  }

  test::TempDir directory;
  test::Turns turns;
  std::map<std::string, OwnedFd> sockets;
  std::unique_ptr<Channel> master;
  std::thread relay;
  std::vector<Message> answers;
  bool closed = false;
  std::unique_ptr<HandlerLink> link;
  std::vector<std::string> replies, refused;
};

TEST_F(RelayTest, RelaysWhenItHasSwapped) {
  begin(pair("a"));
  HandlerPeer handler(pair("a").send_spec, pair("a").recv_spec);
  round_trip(handler, 1);
}

TEST_F(RelayTest, RefusesAGenerationAsAWholeAndGoesOn) {
  begin(pair("a"));
  HandlerPeer handler(pair("a").send_spec, pair("a").recv_spec);
  round_trip(handler, 1);

  prepare(2, {pair("a"), pair("b")}, 2, false);
  Message failed = answer();
  EXPECT_EQ(failed.type, MessageType::kFailed);
  EXPECT_EQ(failed.generation, 2u);
  EXPECT_NE(failed.text.find(pair("b").send_spec), std::string::npos) << failed.text;
  send_prepare(3, "{\"not\": \"an image\"", 2);
  failed = answer();
  EXPECT_EQ(failed.type, MessageType::kFailed);
  EXPECT_NE(failed.text.find("image"), std::string::npos) << failed.text;
  master->send(message(MessageType::kCommit, 3));  // of what was never ready: nothing happens
  round_trip(handler, 2);
}

TEST_F(RelayTest, AnAbortedGenerationLeavesNothingBehind) {
  reload(1, {pair("a")}, 2);
  prepare(2, {pair("a"), pair("b")}, 2);
  ASSERT_EQ(answer().type, MessageType::kReady);
  HandlerPeer handler(pair("b").send_spec, pair("b").recv_spec);
  master->send(message(MessageType::kAbort, 2));
  master->send(message(MessageType::kCommit, 2));
  reload(3, {pair("a")}, 2);  // and not an answer to the commit
  reload(4, {pair("a"), pair("b")}, 2);
  start_worker(pair("b"));
  announce(MessageType::kWorkerUp);
  round_trip(handler, 1);
}

// Worker and handler are connected once and never notice.
TEST_F(RelayTest, KeepsWhatBothGenerationsHave) {
  begin(pair("a"));
  HandlerPeer handler(pair("a").send_spec, pair("a").recv_spec);
  round_trip(handler, 1);
  link->stop_listening();
  std::filesystem::remove(directory.file("a-send"));  // whoever lets go now does not come back
  std::filesystem::remove(directory.file("a-recv"));
  for (uint64_t generation = 2; generation < 12; ++generation) {
    reload(generation, {pair("b"), pair("a")}, 2 + generation % 2);
    round_trip(handler, generation);
  }
}

// A worker that is known already gets its place in a pair that is new.
TEST_F(RelayTest, ConnectsKnownWorkersToNewPairs) {
  reload(1, {pair("a")}, 2);
  announce(MessageType::kWorkerUp);
  prepare(2, {pair("a"), pair("b")}, 2);
  start_worker(pair("b"));
  ASSERT_EQ(answer().type, MessageType::kReady);
  master->send(message(MessageType::kCommit, 2));
  ASSERT_EQ(answer().type, MessageType::kSwapped);
  HandlerPeer handler(pair("b").send_spec, pair("b").recv_spec);
  round_trip(handler, 1);
}

// A removed pair serves those who still wait for an answer.
TEST_F(RelayTest, LetsGoOfARemovedPairWithItsWorkers) {
  begin(pair("a"));
  HandlerPeer handler(pair("a").send_spec, pair("a").recv_spec);
  round_trip(handler, 1);
  reload(2, {}, 2);
  round_trip(handler, 2);
  reload(3, {pair("a")}, 2);  // back before it was gone: the same pair, with its connections
  round_trip(handler, 3);
}

// With one worker the public endpoints are the worker's: handlers are let go and come to it.
TEST_F(RelayTest, HandsItsHandlersToASingleWorker) {
  begin(pair("a"));
  const HandlerRow row = pair("a");
  HandlerPeer handler(row.send_spec, row.recv_spec);
  round_trip(handler, 1);
  move(direct(row));
  reload(2, {row}, 1);
  link->commit_move();
  round_trip(handler, 2);
  EXPECT_TRUE(refused.empty());
}

// Not before they have answered what they had: what a PUB socket says on its way would be lost.
TEST_F(RelayTest, KeepsItsHandlersForWhatTheyOweASingleWorker) {
  const HandlerRow row = pair("a");
  begin(row);
  HandlerPeer handler(row.send_spec, row.recv_spec);
  round_trip(handler, 1);
  Owed owed;
  leave_owed(handler, 2, owed);
  test::Ends ends(handler.requests);
  move(direct(row));
  reload(2, {row}, 1);
  link->commit_move();
  const double later = turns.loop.now() + 0.6;
  ASSERT_TRUE(turns.until([&] { return turns.loop.now() > later; }));
  EXPECT_EQ(ends.count(), 0);
  send_text(handler.replies, reply(2));
  ASSERT_TRUE(turns.until([&] { return replies.size() == 2; }));
  owed.settle();
  round_trip(handler, 3);
  EXPECT_GT(ends.count(), 0);
  EXPECT_TRUE(refused.empty());
}

// Several workers again before handlers have gone: they never notice, and the worker, which has
// other ends by now, hears of them.
TEST_F(RelayTest, APairThatCameBackFindsItsWorkersAnew) {
  const HandlerRow row = pair("a");
  begin(row);
  HandlerPeer handler(row.send_spec, row.recv_spec);
  round_trip(handler, 1);
  Owed owed;
  leave_owed(handler, 2, owed);
  test::Ends ends(handler.requests);
  move(direct(row));
  reload(2, {row}, 1);
  link->commit_move();
  move(behind_relay(row));
  reload(3, {row}, 2);
  link->commit_move();
  announce(MessageType::kWorkerUp);
  round_trip(handler, 3);
  send_text(handler.replies, reply(2));
  ASSERT_TRUE(turns.until([&] { return replies.size() == 3; }));
  EXPECT_EQ(ends.count(), 0);
  EXPECT_TRUE(refused.empty());
}

TEST_F(RelayTest, TellsHandlersOfADeadWorker) {
  begin(pair("a"));
  HandlerPeer handler(pair("a").send_spec, pair("a").recv_spec);
  round_trip(handler, 1);
  link.reset();
  announce(MessageType::kWorkerDown);
  EXPECT_EQ(receive(handler), "sender " + std::to_string(id(1)) +
                                  " @* 17:{\"METHOD\":\"JSON\"},21:{\"type\":\"disconnect\"},");
}

TEST_F(RelayTest, EndsWhenDrained) {
  reload(1, {pair("a")}, 2);
  master->send(message(MessageType::kDrain, 1, 60'000));
  EXPECT_TRUE(turns.until([&] { return closed; }));
}

// Without a master it serves on as long as a worker does.
TEST_F(RelayTest, OutlivesTheMasterForItsWorkers) {
  begin(pair("a"));
  HandlerPeer handler(pair("a").send_spec, pair("a").recv_spec);
  round_trip(handler, 1);
  master.reset();
  for (uint64_t number = 2; number < 30; ++number) round_trip(handler, number);
}

TEST_F(RelayTest, ServesTheControlPort) {
  reload(1, {}, 2);
  zmq::context_t context{1};
  zmq::socket_t client(context, ZMQ_REQ);
  client.connect(directory.ipc("control"));
  announce(MessageType::kWorkerUp);
  const auto tasks = [&] {
    send_text(client, "status tasks");
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = receive_text(client)).has_value(); }));
    return text.value_or("nothing");
  };
  reload(2, {}, 2);  // the same port: it stays
  EXPECT_NE(tasks().find("worker 0"), std::string::npos);
  reload(3, {}, 1);  // it relays nothing any more, and still knows who is there
  EXPECT_NE(tasks().find("worker 0"), std::string::npos);
  announce(MessageType::kWorkerDown);
  EXPECT_TRUE(turns.until([&] { return tasks().find("worker 0") == std::string::npos; }));
}

}  // namespace
}  // namespace m2
