// Goal: replies to a slow worker wait, bounded, and none is lost; one that is stuck does not hold
// up its neighbours for ever. Method: a worker of a plain PULL socket that is there when the test
// wants.
#include "worker/relay/worker_hop.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/link/peers.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

class WorkerHopTest : public testing::Test, protected WorkerHopUser {
 protected:
  void hop_relieved() override { ++relieved; }

  void open(double stall_s) {
    auto opened =
        WorkerHop::open(turns.loop, turns.context, {2, 1000}, "pair", endpoint, *this, stall_s);
    ASSERT_TRUE(opened.ok()) << opened.message();
    hop = std::move(opened).value();
  }
  void send(const std::string& text) { hop->send(ZmqMessage(text.data(), text.size())); }
  std::string numbered(int number) { return std::to_string(number) + ' ' + filler; }
  // Sends until nothing more may wait.
  int crowd() {
    int sent = 0;
    for (; !hop->crowded(); ++sent) send(numbered(sent));
    return sent;
  }
  // The next count messages must be number from, from + 1 ...
  void receive(int from, int count) {
    int next = from;
    ASSERT_TRUE(turns.until([&] {
      while (auto text = test::receive_text(worker)) {
        EXPECT_EQ(text->substr(0, text->find(' ')), std::to_string(next));
        ++next;
      }
      return next >= from + count;
    }));
    EXPECT_EQ(next, from + count);
  }

  test::Turns turns;
  test::TempDir directory;
  const std::string endpoint = directory.ipc("r");
  const std::string filler = std::string(2000, 'x');
  zmq::context_t context{1};
  zmq::socket_t worker{context, ZMQ_PULL};
  std::unique_ptr<WorkerHop> hop;
  int relieved = 0;
};

TEST_F(WorkerHopTest, KeepsWhatASlowWorkerDoesNotTake) {
  open(60);
  const int sent = crowd();
  EXPECT_EQ(relieved, 0);
  worker.bind(endpoint);
  receive(0, sent);
  EXPECT_GE(relieved, 1);
  EXPECT_FALSE(hop->crowded());
  EXPECT_EQ(hop->waiting(), 0u);
  EXPECT_EQ(hop->dropped(), 0u);
}

TEST_F(WorkerHopTest, BoundsBytesToo) {
  open(60);
  const std::string large(1 << 20, 'x');
  for (int sent = 0; sent < 63; ++sent) send(large);
  EXPECT_FALSE(hop->crowded());
  send(large);
  EXPECT_TRUE(hop->crowded());
}

TEST_F(WorkerHopTest, AStuckWorkerLosesItsRepliesButNotOurWords) {
  open(0.05);
  hop->say("@relay open");
  const int sent = crowd();
  hop->say("@relay closed");
  ASSERT_TRUE(turns.until([&] { return relieved > 0; }));
  EXPECT_FALSE(hop->crowded());
  EXPECT_EQ(hop->dropped(), static_cast<uint64_t>(sent));
  send("it takes nothing still");
  EXPECT_EQ(hop->dropped(), static_cast<uint64_t>(sent) + 1);
  // It comes round: the words are there, and replies pass again.
  worker.bind(endpoint);
  std::vector<std::string> words;
  ASSERT_TRUE(turns.until([&] {
    while (auto text = test::receive_text(worker)) {
      if (text->starts_with(kRelayPrefix)) words.push_back(*text);
    }
    return words.size() == 2;
  }));
  EXPECT_EQ(words, (std::vector<std::string>{"@relay open", "@relay closed"}));
  send("again");
  std::optional<std::string> text;
  ASSERT_TRUE(turns.until([&] { return (text = test::receive_text(worker)).has_value(); }));
  EXPECT_EQ(*text, "again");
}

}  // namespace
}  // namespace m2
