// Connection ids: what handlers see as an opaque decimal number. The slot of the worker stands in
// the high bits, so that a relay can tell whose a reply is; the rest grows from a clock, so that an
// id of an earlier run or an earlier worker does not come back. Of 53 bits, or with ids.bits=31
// short ones, which wrap around; which kind an id is, its value says.
#pragma once

#include <cstdint>
#include <string_view>

namespace m2 {

inline constexpr unsigned kSlotBits = 6;
inline constexpr unsigned kSlotsMax = 1u << kSlotBits;
inline constexpr unsigned kSequenceBits = 47;
inline constexpr unsigned kShortIdBits = 31;
inline constexpr unsigned kShortSequenceBits = kShortIdBits - kSlotBits;

using ConnectionId = uint64_t;  // 0: none

// The first id of a worker: 64 ids for each millisecond of its incarnation (ms since 2020). All of
// them are above the short ones.
inline ConnectionId first_connection_id(unsigned slot, uint64_t incarnation_ms) {
  return (static_cast<uint64_t>(slot) << kSequenceBits) |
         ((incarnation_ms << 6) & ((1ull << kSequenceBits) - 1));
}
inline uint64_t incarnation_of(ConnectionId first) {
  return (first & ((1ull << kSequenceBits) - 1)) >> 6;
}
inline bool is_short(ConnectionId id) { return id >> kShortIdBits == 0; }
inline unsigned slot_of(ConnectionId id) {
  return static_cast<unsigned>(id >> (is_short(id) ? kShortSequenceBits : kSequenceBits));
}

// Short ids stand for ticks of a clock, 10 for each millisecond since 2020, and come round after
// 2^25 of them: 55 minutes.
inline constexpr uint64_t kTicksOfMs = 10;
uint64_t tick_at(double unix_s);
inline ConnectionId short_connection_id(unsigned slot, uint64_t tick) {
  return (static_cast<uint64_t>(slot) << kShortSequenceBits) |
         (tick & ((1u << kShortSequenceBits) - 1));
}

// Whether the worker with this first id can have given out the other. now: tick_at() this moment.
// Of a short one: whether it can have since it began, when the id is the youngest possible.
bool may_have_given(ConnectionId first, ConnectionId id, uint64_t now);

// 0: not a decimal number without sign or leading zero, or more than 53 bits: nobody's id.
ConnectionId parse_connection_id(std::string_view text);

}  // namespace m2
