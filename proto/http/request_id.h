// Request ids: 16 hexadecimal digits that name one request in logs, to handlers and to backends
// (setting request.id). No two requests of a server have the same, over workers and restarts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace m2 {

using RequestId = uint64_t;  // 0: none

// The first id of a worker: its slot above, then a clock; 131,072 for each millisecond of it.
inline RequestId first_request_id(unsigned slot, uint64_t incarnation_ms) {
  constexpr unsigned kSlotShift = 58;
  constexpr unsigned kClockShift = 17;
  return (static_cast<uint64_t>(slot) << kSlotShift) |
         ((incarnation_ms << kClockShift) & ((uint64_t{1} << kSlotShift) - 1));
}

class RequestIdText {
 public:
  explicit RequestIdText(RequestId id) {
    for (size_t at = text_.size(); at-- > 0; id >>= 4) text_[at] = "0123456789abcdef"[id & 15];
  }
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, 16> text_;
};

}  // namespace m2
