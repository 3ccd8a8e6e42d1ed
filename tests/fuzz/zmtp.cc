// Fuzzes what the peer of a PUSH socket may say: its greeting, frames and commands are read the
// same however much has arrived, and nothing beyond it is touched.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/check.h"
#include "proto/zmtp/command.h"
#include "proto/zmtp/frame.h"
#include "proto/zmtp/greeting.h"

namespace {

void read_command(std::string_view body) {
  const m2::ZmtpCommand command = m2::read_zmtp_command(body);
  if (command.name.empty()) return;
  CHECK(command.name.size() + command.data.size() + 1 == body.size());
  const m2::ZmtpReady ready = m2::read_zmtp_ready(command.data);
  CHECK(ready.valid || ready.socket_type.empty());
  const m2::ZmtpPing ping = m2::read_zmtp_ping(command.data);
  if (ping.valid) CHECK(m2::read_zmtp_command(m2::zmtp_pong(ping.context)).data == ping.context);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using Greeting = m2::ZmtpGreeting::State;
  using Frame = m2::ZmtpFrame::State;
  constexpr uint64_t kBodyMax = 1024;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Greeting before = Greeting::kIncomplete;
  for (size_t length = 0; length <= std::min<size_t>(size, 80); ++length) {
    const Greeting state = m2::read_zmtp_greeting(bytes.substr(0, length)).state;
    if (before != Greeting::kIncomplete) CHECK(state == before);
    if (state == Greeting::kIncomplete) CHECK(length < m2::kZmtpGreetingBytes);
    before = state;
  }
  if (before == Greeting::kComplete) bytes.remove_prefix(m2::kZmtpGreetingBytes);
  while (!bytes.empty()) {
    const m2::ZmtpFrame frame = m2::read_zmtp_frame(bytes, kBodyMax);
    if (frame.state != Frame::kComplete) break;
    CHECK(frame.bytes <= bytes.size() && frame.body.size() <= kBodyMax);
    CHECK(m2::read_zmtp_frame(bytes.substr(0, frame.bytes - 1), kBodyMax).state ==
          Frame::kIncomplete);
    if (frame.command) read_command(frame.body);
    bytes.remove_prefix(frame.bytes);
  }
  return 0;
}
