// Goal: the relay knows whose request passes and which one is a disconnect notice. Method: messages
// as our workers write them, and broken ones.
#include "worker/relay/message_heads.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/handler/request_writer.h"

namespace m2 {
namespace {

TEST(MessageHeadsTest, ReadsTheIdOfARequest) {
  const RequestHeadFacts facts =
      read_request_head("54c6755b 140737488355392 /a/b 15:{\"PATH\":\"/a/b\"},0:,");
  EXPECT_EQ(facts.id, 140737488355392u);
  EXPECT_FALSE(facts.disconnect);
}

TEST(MessageHeadsTest, KnowsADisconnectNoticeInBothFormats) {
  for (const HeaderFormat format : {HeaderFormat::kJson, HeaderFormat::kTnetstring}) {
    std::string notice;
    write_disconnect("ident", 4711, format, notice);
    const RequestHeadFacts facts = read_request_head(notice);
    EXPECT_EQ(facts.id, 4711u) << notice;
    EXPECT_TRUE(facts.disconnect) << notice;
  }
}

TEST(MessageHeadsTest, OtherMessagesOfTheServerAreNoDisconnects) {
  EXPECT_FALSE(
      read_request_head("u 5 @* 17:{\"METHOD\":\"JSON\"},18:{\"type\":\"credits\"},").disconnect);
  EXPECT_FALSE(read_request_head("u 5 /x 2:{},21:{\"type\":\"disconnect\"},").disconnect);
}

TEST(MessageHeadsTest, BrokenMessagesBelongToNobody) {
  for (const char* text : {"", "u", "u ", "u 5", "u x /path", "u -5 /path", "u 05 /path"}) {
    EXPECT_EQ(read_request_head(text).id, 0u) << text;
  }
}

}  // namespace
}  // namespace m2
