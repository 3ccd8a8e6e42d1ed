// Handlers that read connection ids into an integer of 32 bits: what they answer to is no id, or
// nobody's, and their clients wait. Told from any other wrong id by the bits that are left.
#pragma once

#include <string_view>

#include "proto/handler/connection_id.h"

namespace m2 {

// A number that such an integer can hold, and so none of an id of 53 bits.
bool fits_an_int(std::string_view text);

// Whether text is what is left of the id in 32 bits, with a sign or without, or the largest such
// number (what some libraries make of one that is too large).
bool is_cut(std::string_view text, ConnectionId id);

inline constexpr std::string_view kCutIdAdvice =
    "the handler reads ids into an int of 32 bits; set ids.bits to 31, or give it 64";

}  // namespace m2
