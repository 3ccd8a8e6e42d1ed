// Goal: the bytes of a line in each form, and that no byte of a client leaves its place in it.
#include "worker/http/access_log_format.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/http/request_parser.h"

namespace m2 {
namespace {

// The line of a request with this head, which was answered with 200 and 5 bytes.
std::string line_of(AccessLogForm form, const std::string& head, RequestId id = 0) {
  RequestHead parsed;
  RequestParser parser(ParserLimits{});
  EXPECT_EQ(parser.parse(head, parsed), ParseState::kComplete);
  LoggedRequest request;
  note_request(form, &parsed, head.data(), request);
  std::string scratch, out;
  append_access_line({.host = "main",
                      .peer = "10.0.0.1",
                      .peer_port = 4711,
                      .request = request,
                      .status = 200,
                      .bytes = 5,
                      .request_id = id,
                      .took = 0.25,
                      .now = 1000000000.25},
                     scratch, out);
  return out;
}

constexpr char kHead[] =
    "GET /a?b HTTP/1.1\r\nHost: x\r\nUser-Agent: me \"\\\r\nReferer: \xE2\x82\xAC\xFF\r\n\r\n";

TEST(AccessLogFormat, OfMongrel2) {
  EXPECT_EQ(line_of(AccessLogForm::kMongrel2, kHead),
            "71:4:main,8:10.0.0.1,4:4711#10:1000000000#3:GET,2:/a,8:HTTP/1.1,3:200#1:5#]\n");
  EXPECT_EQ(line_of(AccessLogForm::kMongrel2, "GET / HTTP/1.0\r\n\r\n", 0xABC),
            "90:4:main,8:10.0.0.1,4:4711#10:1000000000#3:GET,1:/,8:HTTP/1.0,3:200#1:5#"
            "16:0000000000000abc,]\n");
}

TEST(AccessLogFormat, Combined) {
  EXPECT_EQ(line_of(AccessLogForm::kCombined, kHead),
            "10.0.0.1 - - [09/Sep/2001:01:46:40 +0000] \"GET /a?b HTTP/1.1\" 200 5 "
            "\"\\xE2\\x82\\xAC\\xFF\" \"me \\x22\\x5C\"\n");
  EXPECT_EQ(line_of(AccessLogForm::kCombined, "GET / HTTP/1.0\r\n\r\n", 1),
            "10.0.0.1 - - [09/Sep/2001:01:46:40 +0000] \"GET / HTTP/1.0\" 200 5 \"-\" \"-\" "
            "\"0000000000000001\"\n");
}

TEST(AccessLogFormat, Json) {
  EXPECT_EQ(line_of(AccessLogForm::kJson, kHead),
            "{\"time\":\"2001-09-09T01:46:40.250Z\",\"host\":\"main\",\"client\":\"10.0.0.1\","
            "\"port\":4711,\"method\":\"GET\",\"path\":\"/a\",\"query\":\"b\","
            "\"version\":\"HTTP/1.1\",\"referer\":\"\xE2\x82\xAC\\u00ff\","
            "\"user_agent\":\"me \\\"\\\\\",\"status\":200,\"bytes\":5,\"ms\":250}\n");
}

TEST(AccessLogFormat, OfARequestThatCouldNotBeRead) {
  for (const AccessLogForm form :
       {AccessLogForm::kMongrel2, AccessLogForm::kCombined, AccessLogForm::kJson}) {
    LoggedRequest request;
    note_request(form, nullptr, nullptr, request);
    EXPECT_FALSE(request.text.empty());
  }
}

TEST(RequestId, OfWorkersAndStartsDiffer) {
  EXPECT_EQ(first_request_id(0, 1001) - first_request_id(0, 1000), 1u << 17);
  EXPECT_EQ(first_request_id(63, 0) >> 58, 63u);
  EXPECT_EQ(RequestIdText(0x0123456789abcdefu).view(), "0123456789abcdef");
}

}  // namespace
}  // namespace m2
