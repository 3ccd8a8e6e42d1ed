// Fuzzes the heads of answers on their way through a gateway: what goes on is framed as what came,
// has nothing left that a second gateway would change, and is refused or passed, never half of it.
// First byte: HEAD, a client of HTTP/1.0, our Connection field.
#include "proto/http/gateway_answer.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "proto/http/response_reader.h"

namespace {

using Kind = m2::GatewayAnswerResult::Kind;
constexpr uint32_t kHeadBytesMax = 4096;

// What a client gets; "": refused.
std::string pass(m2::GatewayAnswer answer, std::string_view head) {
  std::string out;
  answer.head = head;
  const auto result = m2::write_gateway_answer(answer, out);
  if (result.kind == Kind::kBad) CHECK(!result.reason.empty());
  if (result.kind == Kind::kAsItIs) return std::string(head);
  return result.kind == Kind::kBad ? "" : out;
}

void look(const m2::GatewayAnswer& answer, std::string_view head, bool head_request) {
  const std::string passed = pass(answer, head);
  if (passed.empty()) return;
  CHECK(passed.ends_with("\r\n\r\n") && passed.starts_with("HTTP/1.1 "));
  CHECK(pass(answer, passed) == passed);
  m2::ResponseReader before;
  m2::ResponseReader after;
  before.start(head_request, kHeadBytesMax);
  after.start(head_request, 2 * kHeadBytesMax);
  CHECK(before.feed_head(head) == head.size());
  CHECK(after.feed_head(passed) == passed.size());
  CHECK(before.status() == after.status());
  CHECK(before.interim().empty() == after.interim().empty());
  if (!before.head_complete() || before.status() == 204 || before.status() == 101) return;
  CHECK(!answer.drop_coding || !after.chunked());
  if (answer.drop_coding) return;
  CHECK(before.state() == after.state() && before.chunked() == after.chunked());
  CHECK(before.content_length() == after.content_length());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const bool head_request = (data[0] & 1) != 0;
  const m2::GatewayAnswer answer{.head = {},
                                 .connection = (data[0] & 4) != 0 ? "Connection: close\r\n" : "",
                                 .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                                 .drop_coding = (data[0] & 2) != 0};
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  m2::ResponseReader reader;
  reader.start(head_request, kHeadBytesMax);
  while (!input.empty() && reader.state() == m2::ResponseReader::State::kHead) {
    input.remove_prefix(reader.feed_head(input));
    if (!reader.interim().empty()) look(answer, reader.interim(), head_request);
    if (reader.head_complete()) look(answer, reader.head(), head_request);
  }
  return 0;
}
