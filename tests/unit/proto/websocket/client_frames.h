// Frames as clients write them, for tests of what reads them: masked, and wrong where asked for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/websocket/frame.h"

namespace m2 {

// first: FIN, RSV and opcode.
inline std::string client_frame(uint8_t first, std::string_view payload, bool masked = true) {
  char head[kFrameHeadMax];
  std::string frame(head, write_frame_head(first, payload.size(), head));
  if (!masked) return frame.append(payload);
  frame[1] = static_cast<char>(frame[1] | 0x80);
  constexpr std::array<char, 4> kMask{0x12, static_cast<char>(0xA4), 0x00, 0x7F};
  frame.append(kMask.data(), 4);
  std::string hidden(payload.size(), '\0');
  unmask(hidden.data(), payload.data(), payload.size(), kMask, 0);
  return frame.append(hidden);
}

inline std::string text_frame(std::string_view payload) { return client_frame(0x81, payload); }

}  // namespace m2
