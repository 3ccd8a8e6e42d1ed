// The small pieces of HTTP syntax that the parsers of this folder share: character classes, blanks,
// comma lists, numbers (RFC 9110 5.6, RFC 3986 2). Hot ones are inline. Nothing here allocates.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace m2 {

enum CharClass : uint16_t {
  kDigitChar = 1,
  kHexChar = 2,
  kTokenChar = 4,      // tchar
  kFieldChar = 8,      // HTAB, SP, VCHAR, obs-text: what a field value may consist of
  kHostChar = 16,      // unreserved, sub-delims
  kPathChar = 32,      // pchar without '%', and '/'
  kUriQueryChar = 64,  // kPathChar and '?'
  // RFC 3986 has these neither in paths nor in queries, but browsers send them as they are: the
  // percent-encode sets of the URL Standard leave them out.
  kRawPathChar = 128,
  kRawQueryChar = 256,
  kRelaxedChar = 512  // in paths that are relaxed: { }
};

constexpr std::array<uint16_t, 256> make_char_table() {
  std::array<uint16_t, 256> table{};
  const auto mark = [&table](std::string_view chars, uint16_t classes) {
    for (const char c : chars) table[static_cast<uint8_t>(c)] |= classes;
  };
  table['\t'] |= kFieldChar;
  for (unsigned c = 0x20; c < 0x100; ++c) {
    if (c != 0x7f) table[c] |= kFieldChar;
  }
  constexpr uint16_t kEverywhere = kTokenChar | kHostChar | kPathChar | kUriQueryChar;
  mark("0123456789", kDigitChar | kHexChar | kEverywhere);
  mark("abcdefABCDEF", kHexChar | kEverywhere);
  mark("ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-._~", kEverywhere);
  mark("!#$%&'*+^`|", kTokenChar);
  mark("!$&'()*+,;=", kHostChar | kPathChar | kUriQueryChar);
  mark(":@/", kPathChar | kUriQueryChar);
  mark("?", kUriQueryChar);
  mark("[]|^", kRawPathChar);
  mark("[]|^{}`\\", kRawQueryChar);
  mark("{}", kRelaxedChar);
  return table;
}
inline constexpr std::array<uint16_t, 256> kCharTable = make_char_table();

// Whether c is in one of the classes.
constexpr bool is(char c, uint16_t classes) {
  return (kCharTable[static_cast<uint8_t>(c)] & classes) != 0;
}
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
// c is a kHexChar.
constexpr unsigned hex_value(char c) {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a' + 10);
}

// lower: already in lower case.
inline bool equals_ignore_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (ascii_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the next element off a comma list without quoted strings, blanks around it removed. It may
// be empty ("a,,b"). False: the list has ended.
constexpr bool next_element(std::string_view& list, std::string_view& element) {
  if (list.empty()) return false;
  const size_t comma = list.find(',');
  element = trim_blanks(list.substr(0, comma));
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  return true;
}

// Offset of the first byte that no field value may contain (a control byte but HTAB); npos: none.
// Eight bytes at a time: this sees most bytes of every request.
inline size_t find_control(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kTops = 0x8080808080808080;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const uint64_t no_del = word ^ (kOnes * 0x7f);
    // Top bits of bytes below 0x20 and of those equal to 0x7f.
    const uint64_t suspects =
        (((word - kOnes * 0x20) & ~word) | ((no_del - kOnes) & ~no_del)) & kTops;
    if (suspects == 0) continue;
    for (size_t i = at; i < at + 8; ++i) {
      if (!is(text[i], kFieldChar)) return i;
    }
  }
  for (; at < text.size(); ++at) {
    if (!is(text[at], kFieldChar)) return at;
  }
  return std::string_view::npos;
}

// Content-Length: digits only, up to 2^63 - 1. nullopt: anything else.
std::optional<uint64_t> parse_length(std::string_view text);

// "host", "host:port", "[v6]:port" with a host that is not empty (RFC 3986 3.2.2, RFC 9110 4.2.1);
// no user information.
bool is_authority(std::string_view text);

}  // namespace m2
