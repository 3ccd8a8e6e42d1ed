// Reads a handler's message: "UUID LEN:ID ID ID, BODY" (manual 5.3, docs/handler-protocol.md).
// Zero-copy. An id list that begins with "X" marks an extended message of Mongrel2 1.x.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/status.h"

namespace m2 {

struct Reply {
  std::string_view sender;
  std::string_view ids;  // the list as written, without a leading "X"
  uint32_t id_count = 0;
  bool extended = false;
  std::string_view body;  // empty: close
};

// Refused with the reason and the place: anything not exactly of that form, no ids, more than
// targets_max.
Result<Reply> parse_reply(std::string_view message, uint32_t targets_max);

// Takes the next id off a list; empty when there is none left.
std::string_view next_id(std::string_view& ids);

}  // namespace m2
