// Goal: who is too slow is cut off, by time or by rate, and who only reads slowly is not. Method:
// the client and the loop take turns in one thread, so that a slow machine slows down both.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "tests/unit/worker/http/connection_fixture.h"

namespace m2 {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kStep{20};
constexpr int kStepsMost = 1500;  // 30 seconds

class ConnectionDeadlines : public ConnectionTest {
 protected:
  // Whatever the client does each time, until the condition holds. How many times it did it.
  template <typename Act, typename Condition>
  int steps_until(Act act, Condition condition) {
    for (int step = 1; step < kStepsMost; ++step) {
      ::usleep(kStep.count() * 1000);
      act();
      turns(1);
      if (condition()) return step;
    }
    ADD_FAILURE() << "it never came to that";
    return 0;
  }
  template <typename Act>
  int steps_until_closed(Act act) {
    return steps_until(act, [this] { return clients.count() == 0; });
  }
  template <typename Act>
  int steps_until_answered(Act act) {
    return steps_until(act, [this] {
      char byte;
      return ::recv(client.get(), &byte, 1, MSG_PEEK) == 1;
    });
  }
  void read_some(size_t most) {
    std::string buffer(most, 0);
    (void)!::recv(client.get(), buffer.data(), buffer.size(), 0);
  }
  void ask_for_much() {
    source.whole->hold = true;
    connect();
    say("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
    source.whole->received = std::string(50'000'000, 'x');
    source.whole->answer();
  }
};

// A byte now and then, each well within limits.body_ms: what it earns is not enough.
TEST_F(ConnectionDeadlines, ABodyByteByByteIsTooSlow) {
  use({{"limits.body_ms", "400"},
       {"limits.min_read_rate", "1000"},
       {"limits.content_length", "1000000"}});
  for (const std::string path : {"/whole", "/stream"}) {
    for (const std::string framing :
         {"Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nf0000\r\n"}) {
      connect();
      say("POST " + path + " HTTP/1.1\r\nHost: a\r\n" + framing);
      const int steps =
          steps_until_answered([this] { (void)!::send(client.get(), "x", 1, MSG_NOSIGNAL); });
      EXPECT_GT(steps, 1);
      EXPECT_TRUE(heard().starts_with("HTTP/1.1 408 "));
    }
  }
}

// The time runs while the client may send, and only then.
TEST_F(ConnectionDeadlines, AClientThatIsHeldBackIsNotLate) {
  use({{"limits.body_ms", "100"}});
  source.stream->pause = true;
  connect();
  say("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
  const auto begin = Clock::now();
  while (Clock::now() - begin < std::chrono::milliseconds(700)) turns(1);
  EXPECT_EQ(heard(), "");
  EXPECT_EQ(clients.count(), 1u);
  source.stream->waiting->client().set_body_paused(false);
  steps_until_answered([] {});
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 408 "));
}

// A head has limits.head_ms in all, however steadily it comes.
TEST_F(ConnectionDeadlines, AHeadThatNeverEndsIsTooSlow) {
  use({{"limits.head_ms", "300"}, {"limits.buffer_size", "1000000"}});
  connect();
  say("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  steps_until_answered([this] { (void)!::send(client.get(), "x", 1, MSG_NOSIGNAL); });
  EXPECT_TRUE(heard().starts_with("HTTP/1.1 408 "));
}

// It takes something all the time, but far below the rate.
TEST_F(ConnectionDeadlines, ASlowReaderIsCutOff) {
  use({{"limits.write_ms", "300"}, {"limits.min_write_rate", "1000000000"}});
  ask_for_much();
  steps_until_closed([this] { read_some(10'000); });
}

// The same pace is well above this rate: nobody who takes something is cut off, for as many times
// limits.write_ms as it goes on, and the kernel's buffer does not count as taken.
TEST_F(ConnectionDeadlines, ASteadyReaderIsNotCutOff) {
  use({{"limits.write_ms", "200"}, {"limits.min_write_rate", "1"}});
  ask_for_much();
  const auto begin = Clock::now();
  while (Clock::now() - begin < std::chrono::milliseconds(1500)) {
    read_some(40'000);
    turns(1);
    ASSERT_EQ(clients.count(), 1u);
    ::usleep(kStep.count() * 1000);
  }
  steps_until_closed([] {});
}

TEST_F(ConnectionDeadlines, WithoutARateAnyPaceWillDo) {
  use({{"limits.write_ms", "200"}, {"limits.min_write_rate", "0"}});
  ask_for_much();
  const auto begin = Clock::now();
  while (Clock::now() - begin < std::chrono::milliseconds(1000)) {
    read_some(40'000);
    turns(1);
    ASSERT_EQ(clients.count(), 1u);
    ::usleep(kStep.count() * 1000);
  }
  steps_until_closed([] {});
}

}  // namespace
}  // namespace m2
