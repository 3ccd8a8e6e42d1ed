#include "proto/handler/connection_id.h"

namespace m2 {
namespace {

constexpr double kUnixMsOf2020 = 1'577'836'800'000;
// A worker with more new clients than the clock has ticks runs ahead of it, by so many at most.
constexpr uint64_t kAheadMax = 1u << (kShortSequenceBits - 2);

// Of all ticks that this id stands for the last one up to kAheadMax from now.
uint64_t tick_of(ConnectionId id, uint64_t now) {
  constexpr uint64_t kMask = (1u << kShortSequenceBits) - 1;
  const uint64_t last = now + kAheadMax;
  return last - ((last - id) & kMask);
}

}  // namespace

uint64_t tick_at(double unix_s) {
  const double ms = unix_s * 1000.0 - kUnixMsOf2020;
  return ms <= 0 ? 0 : static_cast<uint64_t>(ms * static_cast<double>(kTicksOfMs));
}

bool may_have_given(ConnectionId first, ConnectionId id, uint64_t now) {
  if (id == 0 || slot_of(id) != slot_of(first)) return false;
  if (!is_short(id)) return id >= first;
  return tick_of(id, now) >= incarnation_of(first) * kTicksOfMs;
}

ConnectionId parse_connection_id(std::string_view text) {
  constexpr size_t kDigitsMax = 16;  // 2^53 has 16 digits
  if (text.empty() || text.size() > kDigitsMax || text[0] == '0') return 0;
  ConnectionId id = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    id = id * 10 + static_cast<unsigned>(c - '0');
  }
  return id >> (kSlotBits + kSequenceBits) == 0 ? id : 0;
}

}  // namespace m2
