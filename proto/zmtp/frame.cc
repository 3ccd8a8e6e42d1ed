#include "proto/zmtp/frame.h"

namespace m2 {
namespace {

constexpr uint8_t kMore = 1;
constexpr uint8_t kLong = 2;
constexpr uint8_t kCommand = 4;
constexpr uint64_t kShortMax = 255;
constexpr size_t kShortHead = 2;

size_t write_head(uint8_t flags, uint64_t body_bytes, char* out) {
  if (body_bytes <= kShortMax) {
    out[0] = static_cast<char>(flags);
    out[1] = static_cast<char>(body_bytes);
    return kShortHead;
  }
  out[0] = static_cast<char>(flags | kLong);
  for (size_t at = kZmtpFrameHeadMax; --at > 0; body_bytes >>= 8) {
    out[at] = static_cast<char>(body_bytes & 0xFF);
  }
  return kZmtpFrameHeadMax;
}

ZmtpFrame bad(std::string_view why) {
  ZmtpFrame frame;
  frame.state = ZmtpFrame::State::kBad;
  frame.why = why;
  return frame;
}

}  // namespace

size_t write_zmtp_message_head(uint64_t body_bytes, char* out) {
  return write_head(0, body_bytes, out);
}

std::string zmtp_command_frame(std::string_view body) {
  char head[kZmtpFrameHeadMax];
  std::string frame(head, write_head(kCommand, body.size(), head));
  frame += body;
  return frame;
}

ZmtpFrame read_zmtp_frame(std::string_view bytes, uint64_t body_max) {
  if (bytes.empty()) return {};
  const auto flags = static_cast<uint8_t>(bytes[0]);
  if ((flags & ~(kMore | kLong | kCommand)) != 0) return bad("a frame with reserved flags");
  ZmtpFrame frame;
  frame.command = (flags & kCommand) != 0;
  frame.more = (flags & kMore) != 0;
  if (frame.command && frame.more) return bad("a command of several parts");
  const size_t head = (flags & kLong) != 0 ? kZmtpFrameHeadMax : kShortHead;
  if (bytes.size() < head) return {};
  uint64_t length = 0;
  for (size_t at = 1; at < head; ++at) length = length << 8 | static_cast<uint8_t>(bytes[at]);
  if (length > body_max) return bad("a frame that is too large");
  if (bytes.size() - head < length) return {};
  frame.state = ZmtpFrame::State::kComplete;
  frame.body = bytes.substr(head, length);
  frame.bytes = head + length;
  return frame;
}

}  // namespace m2
