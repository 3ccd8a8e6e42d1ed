// Goal: the bytes of ZMTP 3 are written as RFC 37 has them, and read however they arrive; what is
// wrong is refused at the first byte that shows it. Method: byte strings by hand, and their cuts.
#include <gtest/gtest.h>

#include <string>

#include "proto/zmtp/command.h"
#include "proto/zmtp/frame.h"
#include "proto/zmtp/greeting.h"

namespace m2 {
namespace {

using Greeting = ZmtpGreeting::State;
using Frame = ZmtpFrame::State;
using std::string_literals::operator""s;

std::string greeting_of(char major, const std::string& mechanism) {
  std::string bytes = "\xff\0\0\0\0\0\0\0\1\x7f"s + major + '\0' + mechanism;
  bytes.resize(kZmtpGreetingBytes, '\0');
  return bytes;
}

TEST(ZmtpGreetingTest, OursIsTheOneOfTheRfc) {
  std::string expected = "\xff\0\0\0\0\0\0\0\0\x7f\3\1NULL"s;
  expected.resize(kZmtpGreetingBytes, '\0');
  EXPECT_EQ(zmtp_greeting(), expected);
  EXPECT_EQ(read_zmtp_greeting(zmtp_greeting()).state, Greeting::kComplete);
}

TEST(ZmtpGreetingTest, IsReadAtItsLastByteAndNotBefore) {
  for (const char major : {'\3', '\4'}) {
    const std::string bytes = greeting_of(major, "NULL");
    for (size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_EQ(read_zmtp_greeting(bytes.substr(0, length)).state, Greeting::kIncomplete) << length;
    }
    EXPECT_EQ(read_zmtp_greeting(bytes).state, Greeting::kComplete);
    EXPECT_EQ(read_zmtp_greeting(bytes + "more").state, Greeting::kComplete);
  }
}

TEST(ZmtpGreetingTest, StrangersAreRefusedAtOnce) {
  const auto refused_at = [](const std::string& bytes) {
    size_t length = 0;
    while (length <= bytes.size() &&
           read_zmtp_greeting(bytes.substr(0, length)).state != Greeting::kRefused) {
      ++length;
    }
    return length;
  };
  EXPECT_EQ(refused_at("GET / HTTP/1.1\r\n"), 1u);
  EXPECT_EQ(refused_at("\1\0"s), 1u);  // ZMTP 1
  EXPECT_EQ(refused_at("\xff\0\0\0\0\0\0\0\2\x7e"s), 10u);
  EXPECT_EQ(refused_at("\xff\0\0\0\0\0\0\0\1\x7f\1\x08"s), 11u);  // ZMTP 2
  EXPECT_EQ(refused_at(greeting_of('\3', "CURVE")), 13u);
  EXPECT_EQ(refused_at(greeting_of('\3', "NULLO")), 17u);
}

TEST(ZmtpFrameTest, ShortAndLongHeads) {
  char head[kZmtpFrameHeadMax];
  EXPECT_EQ(std::string(head, write_zmtp_message_head(0, head)), "\0\0"s);
  EXPECT_EQ(std::string(head, write_zmtp_message_head(255, head)), "\0\xff"s);
  EXPECT_EQ(std::string(head, write_zmtp_message_head(256, head)), "\2\0\0\0\0\0\0\1\0"s);
  EXPECT_EQ(std::string(head, write_zmtp_message_head(0x0102030405, head)), "\2\0\0\0\1\2\3\4\5"s);
  EXPECT_EQ(zmtp_command_frame("\4PING"), "\4\5\4PING"s);
}

TEST(ZmtpFrameTest, IsReadAtItsLastByteAndNotBefore) {
  for (const size_t size : {0u, 1u, 255u, 256u, 70'000u}) {
    char head[kZmtpFrameHeadMax];
    std::string bytes(head, write_zmtp_message_head(size, head));
    bytes.append(size, 'x');
    for (size_t length = 0; length < bytes.size(); length += 1 + length / 16) {
      EXPECT_EQ(read_zmtp_frame(bytes.substr(0, length), size).state, Frame::kIncomplete);
    }
    const ZmtpFrame frame = read_zmtp_frame(bytes + "next", size);
    EXPECT_EQ(frame.state, Frame::kComplete);
    EXPECT_EQ(frame.bytes, bytes.size());
    EXPECT_EQ(frame.body.size(), size);
    EXPECT_FALSE(frame.command || frame.more);
    if (size > 0) {
      EXPECT_EQ(read_zmtp_frame(bytes.substr(0, 9), size - 1).state, Frame::kBad);
    }
  }
  EXPECT_TRUE(read_zmtp_frame("\1\0"s, 10).more);
  EXPECT_TRUE(read_zmtp_frame("\4\0"s, 10).command);
}

TEST(ZmtpFrameTest, BadFlagsAndLengths) {
  EXPECT_EQ(read_zmtp_frame("\x08"s, 10).state, Frame::kBad);
  EXPECT_EQ(read_zmtp_frame("\x80\1x"s, 10).state, Frame::kBad);
  EXPECT_EQ(read_zmtp_frame("\5\1x"s, 10).state, Frame::kBad);
  EXPECT_EQ(read_zmtp_frame("\2\xff\xff\xff\xff\xff\xff\xff\xff"s, 1 << 20).state, Frame::kBad);
}

TEST(ZmtpCommandTest, NameAndData) {
  const ZmtpCommand command = read_zmtp_command("\4PINGdata");
  EXPECT_EQ(command.name, "PING");
  EXPECT_EQ(command.data, "data");
  for (const std::string& body : {""s, "\0"s, "\5PING"s}) {
    EXPECT_TRUE(read_zmtp_command(body).name.empty());
  }
}

TEST(ZmtpCommandTest, ReadyNamesTheSocketType) {
  EXPECT_EQ(zmtp_ready("PUSH"), "\5READY\13Socket-Type\0\0\0\4PUSH"s);
  const std::string properties = "\x08Identity\0\0\0\0\13SOCKET-type\0\0\0\4PULL"s;
  EXPECT_EQ(read_zmtp_ready(properties).socket_type, "PULL");
  EXPECT_TRUE(read_zmtp_ready("").valid);
  for (size_t length = 1; length < properties.size(); ++length) {
    if (length == 13) continue;  // the first property alone
    EXPECT_FALSE(read_zmtp_ready(properties.substr(0, length)).valid) << length;
  }
}

TEST(ZmtpCommandTest, PingAndItsAnswer) {
  EXPECT_TRUE(read_zmtp_ping("\0\1"s).valid);
  EXPECT_EQ(read_zmtp_ping("\0\1context"s).context, "context");
  EXPECT_FALSE(read_zmtp_ping("\0"s).valid);
  EXPECT_FALSE(read_zmtp_ping("\0\1"s + std::string(17, 'x')).valid);
  EXPECT_EQ(zmtp_pong("context"), "\4PONGcontext");
  EXPECT_EQ(zmtp_error("no"), "\5ERROR\2no");
  EXPECT_EQ(zmtp_error(std::string(300, 'x')).size(), 6u + 1 + 255);
}

}  // namespace
}  // namespace m2
