// Fuzzes MessageReader and FrameFollower: events do not depend on how the bytes are cut, messages
// stay below the limit, texts are UTF-8. First byte: limits and extensions; second: where to cut.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/utf8.h"
#include "proto/websocket/frame_follower.h"
#include "proto/websocket/message_reader.h"

namespace {

using m2::MessageReader;

std::string read(std::string_view input, size_t step, uint64_t message_max, bool deflate) {
  MessageReader reader;
  reader.set_message_max(message_max);
  reader.set_deflate(deflate);
  std::string scratch;
  std::string seen;
  for (size_t at = 0; at < input.size(); at += step) {
    const std::string piece(input.substr(at, step));
    std::string_view rest = piece;
    while (true) {
      const MessageReader::Event event = reader.next(rest, scratch);
      if (event == MessageReader::Event::kNone) break;
      if (event == MessageReader::Event::kFailed) {
        CHECK(!reader.reason().empty() &&
              m2::may_be_sent(static_cast<uint32_t>(reader.close_code())));
        return seen + "fail " + std::string(reader.reason());
      }
      const bool message = event == MessageReader::Event::kMessage;
      CHECK(message ? reader.payload().size() <= message_max : reader.payload().size() <= 125);
      if (message && reader.opcode() == 1 && !reader.compressed()) {
        CHECK(m2::is_utf8(reader.payload()));
      }
      CHECK(m2::is_control(reader.opcode()) != message);
      seen += std::to_string(reader.opcode()) + ":" + std::string(reader.payload()) + "\n";
      reader.release();
    }
    CHECK(rest.empty());
  }
  return seen;
}

void follow(std::string_view input, size_t step) {
  m2::FrameFollower whole;
  m2::FrameFollower cut;
  whole.feed(input);
  for (size_t at = 0; at < input.size(); at += step) cut.feed(input.substr(at, step));
  CHECK(whole.at_frame_end() == cut.at_frame_end() && whole.closed() == cut.closed());
  CHECK(whole.at_message_end() == cut.at_message_end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint64_t message_max = 125 + data[0] * 16;
  const bool deflate = (data[0] & 1) != 0;
  const size_t step = data[1] % 32 + 1;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = read(input, input.size() + 1, message_max, deflate);
  const std::string cut = read(input, step, message_max, deflate);
  CHECK(whole == cut);
  follow(input, step);
  return 0;
}
