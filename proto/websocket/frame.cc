#include "proto/websocket/frame.h"

#include <algorithm>
#include <cstring>

#include "common/utf8.h"

namespace m2 {

bool may_be_sent(uint32_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

size_t read_frame_head(std::string_view bytes, FrameHead& head) {
  if (bytes.size() < 2) return 0;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  head.fin = (byte(0) & 0x80) != 0;
  head.rsv = (byte(0) >> 4) & 7;
  head.opcode = byte(0) & 0x0F;
  head.masked = (byte(1) & 0x80) != 0;
  head.length = byte(1) & 0x7F;
  const size_t more = head.length == 126 ? 2 : head.length == 127 ? 8 : 0;
  const size_t size = 2 + more + (head.masked ? 4 : 0);
  if (bytes.size() < size) return 0;
  head.minimal = true;
  if (more != 0) {
    head.length = 0;
    for (size_t at = 2; at < 2 + more; ++at) head.length = head.length << 8 | byte(at);
    head.minimal = head.length >= (more == 2 ? 126u : 65536u);
  }
  if (head.masked) std::memcpy(head.mask.data(), bytes.data() + 2 + more, 4);
  return size;
}

size_t write_frame_head(uint8_t first, uint64_t length, char* out) {
  out[0] = static_cast<char>(first);
  if (length < 126) {
    out[1] = static_cast<char>(length);
    return 2;
  }
  const size_t more = length < 65536 ? 2 : 8;
  out[1] = more == 2 ? 126 : 127;
  for (size_t at = 0; at < more; ++at) {
    out[2 + at] = static_cast<char>(length >> (8 * (more - 1 - at)));
  }
  return 2 + more;
}

std::string control_frame(Opcode opcode, std::string_view payload) {
  payload = payload.substr(0, kControlBytesMax);
  std::string frame{static_cast<char>(0x80 | static_cast<uint8_t>(opcode)),
                    static_cast<char>(payload.size())};
  return frame.append(payload);
}

std::string close_frame(CloseCode code, std::string_view reason) {
  if (code == CloseCode::kNoCode) return control_frame(Opcode::kClose, {});
  std::string payload{static_cast<char>(static_cast<uint16_t>(code) >> 8),
                      static_cast<char>(static_cast<uint16_t>(code) & 0xFF)};
  reason = reason.substr(0, kControlBytesMax - payload.size());
  while (!is_utf8(reason)) reason.remove_suffix(1);
  return control_frame(Opcode::kClose, payload.append(reason));
}

void unmask(char* to, const char* from, size_t count, const std::array<char, 4>& mask,
            uint64_t phase) {
  std::array<char, 8> turned;
  for (size_t at = 0; at < turned.size(); ++at) turned[at] = mask[(at + phase) & 3];
  uint64_t key;
  std::memcpy(&key, turned.data(), 8);
  size_t at = 0;
  for (; at + 8 <= count; at += 8) {
    uint64_t block;
    std::memcpy(&block, from + at, 8);
    block ^= key;
    std::memcpy(to + at, &block, 8);
  }
  for (; at < count; ++at) to[at] = static_cast<char>(from[at] ^ turned[at & 7]);
}

}  // namespace m2
