// Connection ids: what handlers see as an opaque decimal number of at most 53 bits. The slot of the
// worker stands in the high bits, so that a relay can tell whose a reply is; the rest grows from a
// clock, so that an id of an earlier run or an earlier worker never comes back.
#pragma once

#include <cstdint>
#include <string_view>

namespace m2 {

inline constexpr unsigned kSlotBits = 6;
inline constexpr unsigned kSlotsMax = 1u << kSlotBits;
inline constexpr unsigned kSequenceBits = 47;

using ConnectionId = uint64_t;  // 0: none

// The first id of a worker: 64 ids for each millisecond of its incarnation (ms since 2020).
inline ConnectionId first_connection_id(unsigned slot, uint64_t incarnation_ms) {
  return (static_cast<uint64_t>(slot) << kSequenceBits) |
         ((incarnation_ms << 6) & ((1ull << kSequenceBits) - 1));
}
inline unsigned slot_of(ConnectionId id) { return static_cast<unsigned>(id >> kSequenceBits); }

// 0: not a decimal number without sign or leading zero, or more than 53 bits: nobody's id.
ConnectionId parse_connection_id(std::string_view text);

}  // namespace m2
