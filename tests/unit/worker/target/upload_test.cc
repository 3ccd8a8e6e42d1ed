// Goal: an upload in pieces is real flow control: never a byte more than credits, in order, told
// with its offset, whatever the framing. Method: connection_fixture.h with a handler target before
// a link that records; what becomes of stored uploads is tested with the whole server.
#include "worker/target/upload.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/worker/http/connection_fixture.h"
#include "worker/link/room_waiter.h"
#include "worker/target/handler.h"

namespace m2 {
namespace {

class RecordingLink final : public HandlerLink {
 public:
  bool submit(ConnectionId, std::string_view message) override {
    if (full) return false;
    messages.emplace_back(message);
    return true;
  }
  void say_credits(ConnectionId, std::string_view) override {}
  void forget(ConnectionId) override {}
  bool submit_following(ConnectionId, std::span<const std::string_view> pieces) override {
    EXPECT_TRUE(room);
    std::string all;
    for (const std::string_view piece : pieces) all += piece;
    messages.push_back(std::move(all));
    return true;
  }
  void owe(Owed&, ConnectionId) override { ++owed; }
  bool has_room() const override { return room; }
  void wait_for_room(RoomWaiter& waiter) override { waiters.add(waiter); }
  bool withdraw(ConnectionId) override { return false; }
  bool holds(ConnectionId) const override { return false; }
  void notify(ConnectionId, std::string_view) override { ++notices; }
  void set_recv_ident(std::string_view) override {}
  void set_limits(const HandlerLinkOptions&) override {}
  Status listen_again(HandlerLinkOptions) override { return {}; }
  void stop_listening() override {}
  Status prepare_move(ZmqContext&, HandlerLinkOptions) override { return {}; }
  void commit_move() override {}
  void abort_move() override {}
  void listen(const std::string&) override {}
  void leave() override {}
  size_t waiting() const override { return 0; }
  bool behind_relay() const override { return false; }
  Replies replies() const override { return Replies::kSub; }
  const std::string& curve_secret() const override { return secret; }
  const std::string& send_spec() const override { return name; }
  const std::string& recv_spec() const override { return name; }
  bool has_handlers() const override { return true; }
  HandlerLinkDrops drops() const override { return {}; }

  // "OFFSET:BODY" of each message since the last call, "!" behind the one that is the last.
  std::string told() {
    std::string all;
    for (const std::string& message : std::exchange(messages, {})) {
      const std::string key = "\"UPLOAD_STREAM\":\"";
      const size_t at = message.find(key) + key.size();
      all += message.substr(at, message.find('"', at) - at);
      const size_t body = message.rfind(':');
      all += message.substr(body, message.size() - body - 1);
      if (message.find("\"UPLOAD_STREAM_DONE\":\"1\"") != std::string::npos) all += '!';
      all += ' ';
    }
    return all;
  }

  std::string name = "pair", secret;
  bool full = false, room = true;
  int notices = 0, owed = 0;
  std::vector<std::string> messages;
  RoomWaiters waiters;
};

// Remembers whom it has given the latest exchange.
class WatchedTarget final : public Target {
 public:
  explicit WatchedTarget(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  BodyPolicy body_policy(const Exchange& exchange) const override {
    return target_->body_policy(exchange);
  }
  bool takes_larger(const Exchange& exchange) const override {
    return target_->takes_larger(exchange);
  }
  void start(Exchange& exchange) override {
    target_->start(exchange);
    responder = exchange.responder();
  }
  Responder* responder = nullptr;

 private:
  const std::shared_ptr<Target> target_;
};

class UploadTest : public ConnectionTest {
 protected:
  UploadTest()
      : uploads(loop, deadlines),
        link(std::make_shared<RecordingLink>()),
        target(std::make_shared<WatchedTarget>(std::make_shared<HandlerTarget>(
            HandlerRow(), std::make_shared<HandlerNotices>(link, HandlerRow()), SendfilePlace(),
            uploads))) {
    source.replacement = target;
    use({{"upload.stream", "1"}});  // limits.content_length is 50
    connect();
  }
  ~UploadTest() override {
    // Before what they use.
    client.reset();
    turns();
  }
  void give(uint64_t credits) {
    target->responder->add_credits(credits);
    turns();
  }

  Uploads uploads;
  std::shared_ptr<RecordingLink> link;
  std::shared_ptr<WatchedTarget> target;
};

const std::string kPost = "POST /stream HTTP/1.1\r\nHost: a\r\n";

TEST_F(UploadTest, GoesOnAsCreditsCome) {
  say(kPost + "Content-Length: 60\r\n\r\n0123456789");
  EXPECT_EQ(link->told(), "0:0123456789 ");  // what came with the head is free
  say("abcdefghij");
  EXPECT_EQ(link->told(), "");
  give(4);
  EXPECT_EQ(link->told(), "10:abcd ");
  give(100);
  EXPECT_EQ(link->told(), "14:efghij ");
  say(std::string(39, 'x'));
  EXPECT_EQ(link->told(), "20:" + std::string(39, 'x') + " ");
  say("y");
  EXPECT_EQ(link->told(), "59:y! ");
}

TEST_F(UploadTest, AllAtOnceIsOneMessage) {
  say(kPost + "Content-Length: 51\r\n\r\n" + std::string(51, 'x'));
  EXPECT_EQ(link->told(), "0:" + std::string(51, 'x') + "! ");
}

TEST_F(UploadTest, ChunkedBeginsWhenItOutgrowsOneMessage) {
  say(kPost + "Transfer-Encoding: chunked\r\n\r\n28\r\n" + std::string(40, 'a') + "\r\n");
  EXPECT_EQ(link->told(), "");
  say("14\r\n" + std::string(20, 'b') + "\r\n");
  EXPECT_EQ(link->told(), "0: ");
  give(45);
  EXPECT_EQ(link->told(), "0:" + std::string(40, 'a') + std::string(5, 'b') + " ");
  give(1000);
  EXPECT_EQ(link->told(), "45:" + std::string(15, 'b') + " ");
  say("1\r\nc\r\n0\r\n\r\n");
  EXPECT_EQ(link->told(), "60:c 61:! ");
}

TEST_F(UploadTest, WaitsForTheBodyBeforeItAsksForIt) {
  say(kPost + "Content-Length: 60\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(link->told(), "0: ");
  EXPECT_EQ(heard(), "");
  give(60);
  EXPECT_EQ(heard(), "HTTP/1.1 100 Continue\r\n\r\n");
  say(std::string(60, 'x'));
  EXPECT_EQ(link->told(), "0:" + std::string(60, 'x') + "! ");
}

TEST_F(UploadTest, LeavesTheQueueToRequests) {
  say(kPost + "Content-Length: 60\r\n\r\n");
  link->room = false;
  give(60);
  say(std::string(60, 'x'));
  EXPECT_EQ(link->told(), "0: ");
  link->room = true;
  link->waiters.serve([] { return true; });
  turns();
  EXPECT_EQ(link->told(), "0:" + std::string(60, 'x') + "! ");
}

TEST_F(UploadTest, IsRefusedWhenTheQueueIsFull) {
  link->full = true;
  say(kPost + "Content-Length: 60\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = heard();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(has(answer, "Retry-After"));
}

TEST_F(UploadTest, IsBounded) {
  use({{"upload.stream", "1"}, {"upload.max_bytes", "100"}});
  say(kPost + "Content-Length: 101\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(link->messages.empty());
}

TEST_F(UploadTest, OffsetsAreOf64Bits) {
  use({{"upload.stream", "1"}, {"upload.max_bytes", "9007199254740992"}});
  say(kPost + "Content-Length: 9000000000000\r\n\r\n" + "x");
  EXPECT_EQ(link->told(), "0:x ");
  give(UINT64_MAX);
  give(UINT64_MAX);  // does not run over
  say("y");
  EXPECT_EQ(link->told(), "1:y ");
}

// A client that is not read is noticed all the same when it leaves.
TEST_F(UploadTest, LeavingIsNoticedWithoutCredits) {
  say(kPost + "Content-Length: 60\r\n\r\n0123456789");
  client.reset();
  while (link->notices == 0) loop.run_once();
  EXPECT_EQ(link->told(), "0:0123456789 ");
}

}  // namespace
}  // namespace m2
