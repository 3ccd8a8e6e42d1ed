#include "proto/handler/connection_id.h"

namespace m2 {

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
