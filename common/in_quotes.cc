// See in_quotes.h.
#include "common/in_quotes.h"

#include <algorithm>
#include <cstdint>

#include "common/utf8.h"

namespace m2 {
namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7F; }

// Of a well-formed character of two or three bytes: controls of the upper half, line ends, and
// marks that turn the direction of what a terminal shows.
bool moves_text(std::string_view character) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(character[at]); };
  if (character.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
  if (character.size() != 3 || byte(0) != 0xE2) return false;
  if (byte(1) == 0x81) return byte(2) >= 0xA6 && byte(2) <= 0xA9;
  return byte(1) == 0x80 &&
         (byte(2) == 0x8E || byte(2) == 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAE));
}

// Appends the character that rest begins with and takes it away: as it is, or each byte as \xHH.
void append_character(std::string_view& rest, std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const size_t length = std::max<size_t>(utf8_length(rest), 1);
  const std::string_view character = rest.substr(0, length);
  rest.remove_prefix(length);
  if (length == 1 ? is_plain(character.front()) : !moves_text(character)) {
    text += character;
    return;
  }
  for (const char c : character) {
    const auto byte = static_cast<uint8_t>(c);
    text.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
  }
}

}  // namespace

std::string in_quotes(std::string_view value) {
  constexpr size_t kShown = 120;
  std::string text = "\"";
  while (!value.empty()) {
    if (text.size() > kShown) return text + "...\"";
    append_character(value, text);
  }
  return text + '"';
}

bool is_one_line(std::string_view text) { return std::all_of(text.begin(), text.end(), is_plain); }

std::string in_one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) append_character(text, line);
  return line;
}

}  // namespace m2
