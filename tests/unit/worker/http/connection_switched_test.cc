// A connection that left HTTP: who gets its bytes, what wakes the responder, how it ends.
#include "tests/unit/worker/http/connection_fixture.h"

namespace m2 {
namespace {

// Says 101 when told to, then keeps what comes.
class Switching final : public Target, public Responder {
 public:
  BodyPolicy body_policy(const Exchange&) const override { return BodyPolicy::kStream; }
  void start(Exchange& exchange) override {
    exchange.set_responder(this);
    waiting = &exchange;
    if (at_once) switch_now();
  }
  void switch_now() {
    waiting->set_status(101);
    waiting->send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    waiting->client().switch_protocols();
  }
  void body(std::string_view bytes, bool last) override {
    received += bytes;
    ended = ended || last;
  }
  void pull() override {}
  void woken() override { ++wakes; }
  bool generation_changed(const Generation&) override {
    ++generations;
    return true;
  }
  void draining() override { waiting->complete(); }
  void stop() override { ++stopped; }

  bool at_once = true, ended = false;
  int wakes = 0, generations = 0, stopped = 0;
  std::string received;
  Exchange* waiting = nullptr;
};

class ConnectionSwitchedTest : public ConnectionTest {
 protected:
  ConnectionSwitchedTest() {
    source.replacement = target;
    use({});
    connect();
  }
  static constexpr std::string_view kAsk =
      "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
  std::shared_ptr<Switching> target = std::make_shared<Switching>();
};

// Goal: bytes behind the request reach the responder first, whenever the 101 goes out.
TEST_F(ConnectionSwitchedTest, EarlyBytesComeFirst) {
  say(std::string(kAsk) + "early ");
  say("late");
  EXPECT_EQ(target->received, "early late");
  EXPECT_TRUE(has(heard(), "101 Switching"));
}

TEST_F(ConnectionSwitchedTest, EarlyBytesWaitForTheSwitch) {
  target->at_once = false;
  say(std::string(kAsk) + "early ");
  EXPECT_EQ(target->received, "");
  target->switch_now();
  say("late");
  EXPECT_EQ(target->received, "early late");
}

// Goal: the end of the client's side is told once, and complete() closes the connection.
TEST_F(ConnectionSwitchedTest, ClientEnds) {
  say(kAsk);
  ::shutdown(client.get(), SHUT_WR);
  turns();
  EXPECT_TRUE(target->ended);
  heard();
  EXPECT_FALSE(closed);
  target->waiting->complete();
  turns();
  heard();
  EXPECT_TRUE(closed);
  EXPECT_EQ(clients.count(), 0u);
}

// Goal: a paused client is not read; what it sent arrives when it may go on.
TEST_F(ConnectionSwitchedTest, Paused) {
  say(kAsk);
  target->waiting->client().set_body_paused(true);
  say("held");
  EXPECT_EQ(target->received, "");
  target->waiting->client().set_body_paused(false);
  turns();
  EXPECT_EQ(target->received, "held");
}

// Goal: the responder hears of a reload, and the end of the worker is in its hands.
TEST_F(ConnectionSwitchedTest, ReloadAndDrain) {
  say(kAsk);
  use({});
  EXPECT_EQ(target->generations, 1);
  clients.drain();
  turns();
  heard();
  EXPECT_TRUE(closed);
  EXPECT_EQ(target->stopped, 0);
}

// Goal: it is woken once, and not after it said that it need not be.
TEST_F(ConnectionSwitchedTest, Woken) {
  say(kAsk);
  target->waiting->client().wake_after(100);
  target->waiting->client().wake_after(0);
  EXPECT_EQ(target->wakes, 0);
  target->waiting->client().wake_after(1);
  while (target->wakes == 0) loop.run_once();
  EXPECT_EQ(target->wakes, 1);
}

}  // namespace
}  // namespace m2
