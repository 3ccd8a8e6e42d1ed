// Goal: the extended messages of Mongrel2 1.x, byte for byte, and what becomes of those that are
// none. Method: messages as 1.x has them, with several commands, with unknown ones, damaged.
#include "proto/handler/extended_reply.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace m2 {
namespace {

using Kind = ExtendedReply::Kind;

ExtendedReply read(std::string_view body) {
  static std::deque<std::string> kept;  // what was read lies in its message
  const auto reply = parse_extended_reply(kept.emplace_back(body));
  EXPECT_TRUE(reply.ok()) << body << ": " << reply.message();
  return reply.ok() ? reply.value() : ExtendedReply{};
}

std::string wrapped(const std::string& data, char tag) {
  return std::to_string(data.size()) + ":" + data + tag;
}
std::string ctl(const std::string& commands) {
  return wrapped("3:ctl," + wrapped(commands, '}'), ']');
}

TEST(ExtendedReply, CommandsOfOneDotX) {
  const ExtendedReply keep = read("27:3:ctl,17:10:keep-alive,0:,}]");
  EXPECT_EQ(keep.kind, Kind::kControl);
  EXPECT_TRUE(keep.keep_alive);
  EXPECT_FALSE(keep.cancel);
  EXPECT_EQ(keep.credits, 0u);
  EXPECT_EQ(read("27:3:ctl,17:7:credits,4:5000#}]").credits, 5000u);
  EXPECT_TRUE(read("22:3:ctl,12:6:cancel,0:,}]").cancel);
  const ExtendedReply file = read("28:8:sendfile,13:/etc/hostname,]");
  EXPECT_EQ(file.kind, Kind::kSendfile);
  EXPECT_EQ(file.path, "/etc/hostname");
}

TEST(ExtendedReply, SeveralCommandsAtOnce) {
  const ExtendedReply all =
      read(ctl("10:keep-alive,4:true!7:credits,2:10#7:credits,2:32#4:jump,0:~"));
  EXPECT_TRUE(all.keep_alive);
  EXPECT_EQ(all.credits, 42u);
  EXPECT_EQ(all.unknown_command, "jump");
  EXPECT_EQ(read(ctl("")).kind, Kind::kControl);
}

TEST(ExtendedReply, CreditsDoNotOverflow) {
  EXPECT_EQ(
      read(ctl("7:credits,20:18446744073709551615#7:credits,20:18446744073709551615#")).credits,
      18446744073709551615u);
}

TEST(ExtendedReply, UnknownKeysAndValues) {
  for (const char* elements : {"4:what,2:ok,", "3:ctl,3:now,", "8:sendfile,1:1#"}) {
    EXPECT_EQ(read(wrapped(elements, ']')).kind, Kind::kUnknown) << elements;
  }
  EXPECT_EQ(read(wrapped("4:what,2:ok,", ']')).key, "what");
}

TEST(ExtendedReply, RefusesWhatIsNone) {
  const std::string keep = ctl("10:keep-alive,0:,");
  for (const std::string& body :
       {std::string(), std::string("garbage"), wrapped("hello", ','), wrapped("", ']'),
        wrapped("3:ctl,", ']'), wrapped("3:ctl,0:}0:,", ']'), wrapped("1:1#0:,", ']'),
        wrapped("3:ctl,0:}", '}'), keep + " ", " " + keep, keep.substr(1), keep.substr(0, 20),
        ctl("7:credits,4:5000,"), ctl("7:credits,2:-1#"), ctl("7:credits,"), ctl("7:credits")}) {
    const auto reply = parse_extended_reply(body);
    EXPECT_FALSE(reply.ok()) << body;
    EXPECT_TRUE(reply.message().starts_with("extended message: ")) << reply.message();
  }
}

}  // namespace
}  // namespace m2
