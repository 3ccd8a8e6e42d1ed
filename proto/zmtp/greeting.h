// The greeting that opens each ZMTP 3 connection (ZeroMQ RFC 37): 64 bytes from either side. Pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace m2 {

inline constexpr size_t kZmtpGreetingBytes = 64;

// Ours: version 3.1, mechanism NULL.
std::string_view zmtp_greeting();

struct ZmtpGreeting {
  enum class State : uint8_t { kIncomplete, kComplete, kRefused };
  State state = State::kIncomplete;
  std::string_view why = {};  // refused: what the peer is instead
};

// A peer's greeting, which these bytes begin with. One that cannot be of ZMTP 3 with the mechanism
// NULL is refused at the first byte that shows it.
ZmtpGreeting read_zmtp_greeting(std::string_view bytes);

}  // namespace m2
