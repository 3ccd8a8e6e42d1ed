#include "proto/handler/json_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace m2 {

namespace {

bool is_special(char c) {
  const uint8_t byte = static_cast<uint8_t>(c);
  return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x7f;
}

// 16 bytes at once, in a register where there is one.
using Bytes = signed char __attribute__((vector_size(16)));
using Halves = uint64_t __attribute__((vector_size(16)));
constexpr size_t kBlock = sizeof(Bytes);

template <typename Word>
Word load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// Whether one of them is special. As signed numbers, those above ASCII lie below the controls.
bool any_special(Bytes bytes) {
  const Bytes special = (bytes < 0x20) | (bytes == '"') | (bytes == '\\') | (bytes == 0x7f);
  const Halves halves = reinterpret_cast<Halves>(special);
  return (halves[0] | halves[1]) != 0;
}

// 4 to 15 bytes as a block: two loads that overlap.
Bytes load_short(const char* from, size_t size) {
  if (size >= 8) {
    return reinterpret_cast<Bytes>(Halves{load<uint64_t>(from), load<uint64_t>(from + size - 8)});
  }
  const uint64_t both = load<uint32_t>(from) | uint64_t{load<uint32_t>(from + size - 4)} << 32;
  return reinterpret_cast<Bytes>(Halves{both, both});
}

// The first byte from `at` on that cannot just be copied; the size if there is none.
size_t find_special(std::string_view text, size_t at) {
  const char* const data = text.data();
  const size_t size = text.size();
  while (size - at >= kBlock && !any_special(load<Bytes>(data + at))) at += kBlock;
  const size_t rest = size - at;
  if (rest < kBlock) {
    // The last block may overlap what has been seen.
    if (at >= kBlock ? !any_special(load<Bytes>(data + size - kBlock))
                     : rest >= 4 && !any_special(load_short(data + at, rest))) {
      return size;
    }
  }
  while (at < size && !is_special(data[at])) ++at;
  return at;
}

// Length of the well-formed UTF-8 sequence of more than one byte that the text begins with (Unicode
// 15, table 3-7); 0: there is none.
size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : 0;
  };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  // The second byte excludes overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned second = byte(1);
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned least = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned most = lead == 0xed ? 0x9f : 0xbf;
    return second >= least && second <= most && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned least = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned most = lead == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// One step at a special byte: how much of the text is taken, how much is written; `as_is` when it
// is copied.
struct Step {
  size_t taken;
  size_t written;
  bool as_is;
};
Step step_at(std::string_view text) {
  const uint8_t c = static_cast<uint8_t>(text[0]);
  if (c == '"' || c == '\\') return {1, 2, false};
  if (const size_t sequence = c > 0x7f ? utf8_sequence(text) : 0; sequence != 0) {
    return {sequence, sequence, true};
  }
  return {1, 6, false};
}

}  // namespace

size_t json_text_size(std::string_view text) {
  size_t size = text.size();
  for (size_t at = find_special(text, 0); at < text.size(); at = find_special(text, at)) {
    const Step step = step_at(text.substr(at));
    at += step.taken;
    size += step.written - step.taken;
  }
  return size;
}

char* write_json_text(char* to, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  for (size_t at = 0;;) {
    const size_t special = find_special(text, at);
    to = std::copy(text.begin() + at, text.begin() + special, to);
    if (special == text.size()) return to;
    const Step step = step_at(text.substr(special));
    const uint8_t c = static_cast<uint8_t>(text[special]);
    if (step.as_is) {
      std::memcpy(to, text.data() + special, step.taken);
    } else if (step.written == 2) {
      to[0] = '\\';
      to[1] = static_cast<char>(c);
    } else {
      std::memcpy(to, "\\u00", 4);
      to[4] = kHex[c >> 4];
      to[5] = kHex[c & 15];
    }
    to += step.written;
    at = special + step.taken;
  }
}

}  // namespace m2
