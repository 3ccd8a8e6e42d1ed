// Goal: a message joined from its pieces is the message that write_request writes, in both formats,
// whatever the value and the body.
#include "proto/handler/repeated_headers.h"

#include <gtest/gtest.h>

#include "proto/http/request_parser.h"

namespace m2 {
namespace {

constexpr std::string_view kRequest =
    "GET /ws/5:FLAGS,4:0x81,?\"q HTTP/1.1\r\nHost: a\r\nX-Fake: \",\"FLAGS\":\"0x81\r\n\r\n";

TEST(RepeatedHeaders, AreTheMessagesOfWriteRequest) {
  RequestHead head;
  ParserLimits limits;
  limits.relaxed = true;
  std::string bytes(kRequest);
  bytes.replace(bytes.find('"'), 1, "x");
  RequestParser parser(limits);
  ASSERT_EQ(parser.parse(bytes, head), ParseState::kComplete) << parser.reason();
  for (const HeaderFormat format : {HeaderFormat::kJson, HeaderFormat::kTnetstring}) {
    std::vector<ExtraField> extra{{"EVENT", "open"}};
    HandlerRequest request{.send_ident = "ident",
                           .id = 77,
                           .base = bytes.data(),
                           .head = &head,
                           .pattern = "/ws",
                           .remote_addr = "127.0.0.1",
                           .body = {},
                           .method = "WEBSOCKET",
                           .extra = extra};
    const RepeatedHeaders headers(request, format);
    for (const std::string_view value : {"text", "binary", "0x8A", ""}) {
      for (const size_t size : {0, 1, 5, 100, 70000}) {
        const std::string body(size, 'b');
        std::string joined;
        const RepeatedHeaders::Message message(headers, value, body);
        for (const std::string_view piece : message.pieces()) joined += piece;
        extra[0].value = value;
        request.extra = extra;
        request.body = body;
        std::string written;
        write_request(request, format, written);
        EXPECT_EQ(joined, written);
      }
    }
  }
}

}  // namespace
}  // namespace m2
