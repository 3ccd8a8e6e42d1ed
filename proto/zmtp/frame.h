// One ZMTP 3 frame (ZeroMQ RFC 37): flags, a length of one or eight bytes, a body. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

inline constexpr size_t kZmtpFrameHeadMax = 9;

// The head of a message of one part, into out; returns its size.
size_t write_zmtp_message_head(uint64_t body_bytes, char* out);
// A whole frame that holds a command.
std::string zmtp_command_frame(std::string_view body);

struct ZmtpFrame {
  enum class State : uint8_t { kIncomplete, kComplete, kBad };
  State state = State::kIncomplete;
  bool command = false;
  bool more = false;
  std::string_view body = {};
  size_t bytes = 0;           // of the whole frame
  std::string_view why = {};  // bad: what is wrong with it
};

// The frame that these bytes begin with. A body of more than body_max bytes is bad.
ZmtpFrame read_zmtp_frame(std::string_view bytes, uint64_t body_max);

}  // namespace m2
