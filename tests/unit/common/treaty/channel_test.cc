// Goal: messages arrive whole and in order with their descriptors; a peer that is gone, broken or
// hung ends the channel once, from the loop, and after everything it sent.
#include "common/treaty/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace m2 {
namespace {

struct Recorder final : ChannelUser {
  void channel_message(Message message) override { messages.push_back(std::move(message)); }
  void channel_closed(const std::string& why) override { closed.push_back(why); }
  std::vector<Message> messages;
  std::vector<std::string> closed;
};

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    Result<std::pair<OwnedFd, OwnedFd>> pair = channel_pair();
    EXPECT_TRUE(pair.ok()) << pair.message();
    left_fd_ = std::move(pair.value().first);
    right_fd_ = std::move(pair.value().second);
  }
  template <typename Condition>
  void run_until(Condition condition) {
    for (int turn = 0; turn < 20000 && !condition(); ++turn) {
      TimerWatcher tick;  // a turn never waits for ever
      tick.start<&ChannelTest::nothing>(loop_, 0.01, 0, this);
      loop_.run_once();
    }
    ASSERT_TRUE(condition());
  }
  void nothing() {}

  Loop loop_;
  Recorder left_, right_;
  OwnedFd left_fd_, right_fd_;
};

Message numbered(uint64_t number) {
  Message message;
  message.type = MessageType::kAlive;
  message.number = number;
  return message;
}

TEST_F(ChannelTest, CarriesEveryField) {
  Channel sender(loop_, std::move(left_fd_), left_);
  Channel receiver(loop_, std::move(right_fd_), right_);
  Message message;
  message.type = MessageType::kFailed;
  message.generation = 0x1122334455667788;
  message.slot = 63;
  message.number = ~uint64_t{0};
  message.text = std::string(kMessageTextMax, 't');
  message.text[7] = '\0';
  const std::string text = message.text;
  sender.send(std::move(message));
  run_until([&] { return !right_.messages.empty(); });
  const Message& got = right_.messages[0];
  EXPECT_EQ(got.type, MessageType::kFailed);
  EXPECT_EQ(got.generation, 0x1122334455667788u);
  EXPECT_EQ(got.slot, 63u);
  EXPECT_EQ(got.number, ~uint64_t{0});
  EXPECT_EQ(got.text, text);
  EXPECT_TRUE(got.descriptors.empty());
}

TEST_F(ChannelTest, PassesDescriptorsInOrder) {
  Channel sender(loop_, std::move(left_fd_), left_);
  Channel receiver(loop_, std::move(right_fd_), right_);
  std::vector<OwnedFd> readers;
  Message message = numbered(1);
  for (size_t i = 0; i < kMessageDescriptorsMax; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    readers.emplace_back(ends[0]);
    message.descriptors.emplace_back(ends[1]);
  }
  sender.send(std::move(message));
  run_until([&] { return !right_.messages.empty(); });
  ASSERT_EQ(right_.messages[0].descriptors.size(), kMessageDescriptorsMax);
  for (size_t i = 0; i < kMessageDescriptorsMax; ++i) {
    const int fd = right_.messages[0].descriptors[i].get();
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
    const char byte = static_cast<char>(i);
    ASSERT_EQ(::write(fd, &byte, 1), 1);
    char got = 0;
    ASSERT_EQ(::read(readers[i].get(), &got, 1), 1);
    EXPECT_EQ(got, byte);
  }
}

TEST_F(ChannelTest, QueuesWhatThePeerDoesNotTakeAndKeepsTheOrder) {
  Channel sender(loop_, std::move(left_fd_), left_);
  for (uint64_t i = 0; i < 3000; ++i) sender.send(numbered(i));
  Channel receiver(loop_, std::move(right_fd_), right_);
  run_until([&] { return right_.messages.size() == 3000; });
  for (uint64_t i = 0; i < 3000; ++i) ASSERT_EQ(right_.messages[i].number, i);
  EXPECT_TRUE(left_.closed.empty());
}

TEST_F(ChannelTest, PeerThatNeverReadsCountsAsGone) {
  Channel sender(loop_, std::move(left_fd_), left_);
  for (uint64_t i = 0; i < kChannelQueueMax * 2; ++i) sender.send(numbered(i));
  EXPECT_TRUE(left_.closed.empty());  // never from inside send
  run_until([&] { return !left_.closed.empty(); });
  EXPECT_EQ(left_.closed.size(), 1u);
  sender.send(numbered(1));  // dropped, not a crash
}

TEST_F(ChannelTest, DeliversEverythingBeforeTheEnd) {
  Channel receiver(loop_, std::move(right_fd_), right_);
  for (uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(send_and_wait(left_fd_.get(), numbered(i)).ok());
  }
  left_fd_.reset();
  run_until([&] { return !right_.closed.empty(); });
  EXPECT_EQ(right_.messages.size(), 5u);
  EXPECT_EQ(right_.closed.size(), 1u);
}

// A peer that closes with unread messages makes the next recvmsg say ECONNRESET first.
TEST_F(ChannelTest, DeliversEverythingWhenThePeerLeftMessagesUnread) {
  Channel receiver(loop_, std::move(right_fd_), right_);
  receiver.send(numbered(99));
  ASSERT_TRUE(send_and_wait(left_fd_.get(), numbered(7)).ok());
  left_fd_.reset();
  run_until([&] { return !right_.closed.empty(); });
  ASSERT_EQ(right_.messages.size(), 1u);
  EXPECT_EQ(right_.messages[0].number, 7u);
}

TEST_F(ChannelTest, SendAfterThePeerIsGoneIsReportedFromTheLoopOnly) {
  Channel sender(loop_, std::move(left_fd_), left_);
  right_fd_.reset();
  sender.send(numbered(1));
  sender.send(numbered(2));
  EXPECT_TRUE(left_.closed.empty());
  run_until([&] { return !left_.closed.empty(); });
  EXPECT_EQ(left_.closed.size(), 1u);
}

TEST_F(ChannelTest, GarbageEndsTheChannel) {
  for (const std::string& garbage :
       {std::string("x"), std::string(24, '\0'), std::string(24, '\xff'),
        std::string("\x01\0\0\0", 4) + std::string(20 + kMessageTextMax + 1, 'x')}) {
    Result<std::pair<OwnedFd, OwnedFd>> pair = channel_pair();
    ASSERT_TRUE(pair.ok());
    Recorder user;
    Channel receiver(loop_, std::move(pair.value().second), user);
    ASSERT_EQ(::send(pair.value().first.get(), garbage.data(), garbage.size(), 0),
              static_cast<ssize_t>(garbage.size()));
    run_until([&] { return !user.closed.empty(); });
    EXPECT_TRUE(user.messages.empty());
    EXPECT_EQ(user.closed.size(), 1u);
  }
}

struct Destroyer final : ChannelUser {
  void channel_message(Message) override {}
  void channel_closed(const std::string&) override { channel.reset(); }
  std::unique_ptr<Channel> channel;
};

// Descriptors that find no room are lost, and the reason names the setting.
TEST_F(ChannelTest, NoRoomForDescriptorsEndsTheChannelWithTheReason) {
  Channel sender(loop_, std::move(left_fd_), left_);
  Channel receiver(loop_, std::move(right_fd_), right_);
  Message message = numbered(1);
  for (int count = 0; count < 2; ++count) message.descriptors.emplace_back(::dup(STDIN_FILENO));
  sender.send(std::move(message));
  const int next = ::dup(STDIN_FILENO);
  ::close(next);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  run_until([this] { return !right_.closed.empty(); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_NE(right_.closed[0].find("superpoll.max_fd"), std::string::npos) << right_.closed[0];
}

TEST_F(ChannelTest, MayBeDestroyedWhenItCloses) {
  Destroyer user;
  user.channel = std::make_unique<Channel>(loop_, std::move(right_fd_), user);
  left_fd_.reset();
  run_until([&] { return user.channel == nullptr; });
}

}  // namespace
}  // namespace m2
