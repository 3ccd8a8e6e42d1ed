// What may stand for a server or a handler in messages: one rule for the configuration's send_ident
// and for the first word of a reply.
#pragma once

#include <algorithm>
#include <string_view>

namespace m2 {

// What 0MQ takes as the identity of a socket.
inline constexpr size_t kIdentBytesMax = 255;

constexpr bool is_ident_byte(char c) {
  return c > ' ' && c < 0x7F;  // a space ends it in messages
}

constexpr bool is_ident(std::string_view text) {
  return !text.empty() && text.size() <= kIdentBytesMax &&
         std::all_of(text.begin(), text.end(), is_ident_byte);
}

}  // namespace m2
