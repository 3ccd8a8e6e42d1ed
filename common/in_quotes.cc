// See in_quotes.h.
#include "common/in_quotes.h"

#include <cstdint>

#include "common/utf8.h"

namespace m2 {

std::string in_quotes(std::string_view value) {
  constexpr size_t kShown = 120;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "\"";
  while (!value.empty()) {
    if (text.size() > kShown) return text + "...\"";
    const size_t length = utf8_length(value);
    const auto byte = static_cast<uint8_t>(value.front());
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      text.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
      value.remove_prefix(1);
    } else {
      text += value.substr(0, length);
      value.remove_prefix(length);
    }
  }
  return text + '"';
}

}  // namespace m2
