// Goal: a handler's message is read exactly by its grammar; anything else is refused with the place
// and the reason. Method: tables; every cut of a good message; views must point into the message.
#include "proto/handler/reply_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace m2 {
namespace {

constexpr uint32_t kMax = 128;
const std::string kUuid = "34f9ceee-cd52-4b7f-b197-88bf2f0ec378";

Reply parsed(std::string_view message) {
  Result<Reply> reply = parse_reply(message, kMax);
  EXPECT_TRUE(reply.ok()) << message << ": " << reply.message();
  return reply.ok() ? std::move(reply).value() : Reply();
}

std::vector<std::string> ids_of(const Reply& reply) {
  std::vector<std::string> ids;
  for (std::string_view rest = reply.ids; !rest.empty();) ids.emplace_back(next_id(rest));
  EXPECT_EQ(ids.size(), reply.id_count);
  return ids;
}

TEST(ReplyParser, OneAndManyIds) {
  const std::string message = kUuid + " 5:10 11, hello";
  const Reply reply = parsed(message);
  EXPECT_EQ(reply.sender, kUuid);
  EXPECT_EQ(ids_of(reply), (std::vector<std::string>{"10", "11"}));
  EXPECT_EQ(reply.body, "hello");
  EXPECT_FALSE(reply.extended);
  EXPECT_EQ(reply.body.data(), message.data() + message.size() - 5);  // not a copy

  EXPECT_EQ(ids_of(parsed("a 1:7, x")), (std::vector<std::string>{"7"}));
  // Whatever the checker takes for a send_ident.
  EXPECT_EQ(ids_of(parsed("live_blog:v1.0/a 1:7, x")), (std::vector<std::string>{"7"}));
  EXPECT_EQ(ids_of(parsed("a 2:7 , x")), (std::vector<std::string>{"7"}));  // one space at the end
  EXPECT_EQ(ids_of(parsed("a 4:7 7 , x")), (std::vector<std::string>{"7", "7"}));
  EXPECT_EQ(ids_of(parsed("a 20:18446744073709551616, x")),
            (std::vector<std::string>{"18446744073709551616"}));  // nobody's, but of the form
}

TEST(ReplyParser, EmptyBodyCloses) {
  EXPECT_EQ(parsed(kUuid + " 1:7, ").body, "");
  EXPECT_EQ(parsed(kUuid + " 1:7, ").id_count, 1u);
}

TEST(ReplyParser, BodyIsAnyBytes) {
  const std::string body("\0 5:10,\r\n\xff", 10);
  EXPECT_EQ(parsed("a 1:7, " + body).body, body);
  EXPECT_EQ(parsed("a 1:7,  x").body, " x");
}

TEST(ReplyParser, Extended) {
  const std::string message = kUuid + " 3:X 5, 27:3:ctl,17:10:keep-alive,0:,}]";
  const Reply reply = parsed(message);
  EXPECT_TRUE(reply.extended);
  EXPECT_EQ(ids_of(reply), (std::vector<std::string>{"5"}));
  EXPECT_EQ(reply.body, "27:3:ctl,17:10:keep-alive,0:,}]");
  EXPECT_EQ(ids_of(parsed("a 6:X 5 6 , ")), (std::vector<std::string>{"5", "6"}));
}

TEST(ReplyParser, Refused) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "byte 1: the UUID is missing"},
      {" 1:7, x", "byte 1: the UUID is missing"},
      {"a", "byte 2: the message ends in the UUID"},
      {std::string(256, 'a') + " 1:7, x", "byte 256: the UUID is longer than 255 bytes"},
      {"a\xff 1:7, x", "byte 2: a space must follow the UUID"},
      {"a  1:7, x", "byte 3: LEN, the size of the id list, is missing"},
      {"a :7, x", "byte 3: LEN, the size of the id list, is missing"},
      {"a -1:7, x", "byte 3: LEN, the size of the id list, is missing"},
      {"a 01:7, x", "byte 3: LEN begins with a zero"},
      {"a 1", "byte 4: ':' must follow LEN"},
      {"a 1;7, x", "byte 4: ':' must follow LEN"},
      {"a 9:7, x", "byte 3: LEN is beyond the message"},
      {"a 99999999999999999999999999:7, x", "byte 3: LEN is beyond the message"},
      {"a 18446744073709551617:7, x", "byte 3: LEN is beyond the message"},
      {"a 2:7, x", "byte 7: the id list must end here in ','"},
      {"a 1:77, x", "byte 6: the id list must end here in ','"},
      {"a 1:7", "byte 6: the id list must end here in ','"},
      {"a 1:7,", "byte 7: a space must follow the ','"},
      {"a 1:7,x", "byte 7: a space must follow the ','"},
      {"a 0:, x", "byte 5: there is no connection id"},
      {"a 1: , x", "byte 5: a connection id must be here"},
      {"a 2: 7, x", "byte 5: a connection id must be here"},
      {"a 4:7  8, x", "byte 7: a connection id must be here"},
      {"a 3:7  , x", "byte 7: a connection id must be here"},
      {"a 3:7,8, x", "byte 6: ids are digits with one space between them"},
      {"a 2:7x, x", "byte 6: ids are digits"},
      {"a 2:-7, x", "byte 5: a connection id must be here"},
      {"a 1:X, x", "byte 6: there is no connection id"},
      {"a 2:X , x", "byte 7: there is no connection id"},
      {"a 3:X X, x", "byte 7: a connection id must be here"},
      {"a 3:5 X, x", "byte 7: a connection id must be here"},
      {"a 2:X5, x", "byte 5: a connection id must be here"},
      {"a 3:x 5, x", "byte 5: a connection id must be here"},
  };
  for (const auto& [message, reason] : rows) {
    const Result<Reply> reply = parse_reply(message, kMax);
    ASSERT_FALSE(reply.ok()) << message;
    EXPECT_TRUE(reply.message().starts_with("handler message, " + reason))
        << message << ": " << reply.message();
  }
}

// What is cut off before the body is refused; after that it is a shorter body.
TEST(ReplyParser, EveryCut) {
  const std::string message = kUuid + " 5:10 11, hello";
  const size_t body = message.size() - 5;
  for (size_t size = 0; size < message.size(); ++size) {
    EXPECT_EQ(parse_reply(std::string_view(message).substr(0, size), kMax).ok(), size >= body);
  }
}

TEST(ReplyParser, TargetsMax) {
  std::string ids = "1";
  for (int i = 2; i <= 128; ++i) ids += ' ' + std::to_string(i);
  EXPECT_EQ(parsed("a " + std::to_string(ids.size()) + ':' + ids + ", x").id_count, 128u);
  ids += " 129";
  const Result<Reply> reply =
      parse_reply("a " + std::to_string(ids.size()) + ':' + ids + ", x", kMax);
  ASSERT_FALSE(reply.ok());
  EXPECT_NE(reply.message().find("more than the 128 ids that limits.handler_targets allows"),
            std::string::npos);
  EXPECT_FALSE(parse_reply("a 3:1 2, x", 1).ok());
  EXPECT_TRUE(parse_reply("a 3:1 2, x", 2).ok());
}

TEST(ReplyParser, NextId) {
  std::string_view ids = "1 22 333 ";
  EXPECT_EQ(next_id(ids), "1");
  EXPECT_EQ(next_id(ids), "22");
  EXPECT_EQ(next_id(ids), "333");
  EXPECT_TRUE(ids.empty());
  EXPECT_EQ(next_id(ids), "");
}

}  // namespace
}  // namespace m2
