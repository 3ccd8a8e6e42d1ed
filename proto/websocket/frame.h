// One WebSocket frame (RFC 6455, 5.2): its head, its mask, the codes of closing. Pure functions,
// used by the message reader, the follower of handlers' frames and who writes frames.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10
};
inline bool is_control(uint8_t opcode) { return opcode >= 8; }

// RFC 6455, 7.4.1 and the registry of IANA.
enum class CloseCode : uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kNoCode = 1005,    // never sent: the close frame had none
  kAbnormal = 1006,  // never sent: there was no close frame
  kBadData = 1007,
  kPolicy = 1008,
  kTooBig = 1009,
  kInternal = 1011,
  kRestart = 1012,
  kTryLater = 1013
};
// A peer may send it: 1000-1003, 1007-1014, 3000-4999.
bool may_be_sent(uint32_t close_code);

inline constexpr size_t kControlBytesMax = 125;
inline constexpr size_t kFrameHeadMax = 14;  // with a mask

struct FrameHead {
  bool fin = false;
  uint8_t rsv = 0;  // 4, 2, 1
  uint8_t opcode = 0;
  bool masked = false;
  bool minimal = true;  // the length was written in the shortest form
  uint64_t length = 0;
  std::array<char, 4> mask{};
};

// Returns the size of the head that bytes begin with; 0: it is not complete yet.
size_t read_frame_head(std::string_view bytes, FrameHead& head);

// An unmasked head, as servers send it: up to 10 bytes into out; returns how many. first: FIN, RSV
// and opcode as they stand in the byte.
size_t write_frame_head(uint8_t first, uint64_t length, char* out);
// A whole control frame; payload is cut to what one may hold.
std::string control_frame(Opcode opcode, std::string_view payload);
// reason is cut at a whole character.
std::string close_frame(CloseCode code, std::string_view reason);

// to[i] = from[i] ^ mask[(i + phase) % 4]; to may be from.
void unmask(char* to, const char* from, size_t count, const std::array<char, 4>& mask,
            uint64_t phase);

}  // namespace m2
