// The table of well-formed byte sequences (Unicode 15, table 3-7) as code.
#include "common/utf8.h"

#include <cstring>

namespace m2 {
namespace {

// How many bytes a lead announces; 0: it is none.
size_t announced(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// Whether the bytes there are, up to a whole character, may begin one. Only the second byte has
// bounds that depend on the first.
bool may_begin(std::string_view bytes) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  const uint8_t lead = byte(0);
  const uint8_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (bytes.size() > 1 && (byte(1) < least || byte(1) > most)) return false;
  for (size_t at = 2; at < bytes.size(); ++at) {
    if ((byte(at) & 0xC0) != 0x80) return false;
  }
  return announced(lead) != 0;
}

size_t ascii_prefix(std::string_view bytes) {
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t block;
    std::memcpy(&block, bytes.data() + at, 8);
    if ((block & 0x8080808080808080) != 0) break;
  }
  while (at < bytes.size() && static_cast<uint8_t>(bytes[at]) < 0x80) ++at;
  return at;
}

}  // namespace

size_t utf8_length(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const size_t length = announced(static_cast<uint8_t>(bytes[0]));
  if (length == 0 || bytes.size() < length || !may_begin(bytes.substr(0, length))) return 0;
  return length;
}

bool is_utf8(std::string_view bytes) {
  Utf8Check check;
  return check.feed(bytes) && check.complete();
}

bool Utf8Check::feed(std::string_view bytes) {
  while (begun_count_ != 0 && !bytes.empty()) {
    begun_[begun_count_++] = bytes.front();
    bytes.remove_prefix(1);
    if (!may_begin({begun_.data(), begun_count_})) return false;
    if (begun_count_ == announced(static_cast<uint8_t>(begun_[0]))) begun_count_ = 0;
  }
  while (true) {
    bytes.remove_prefix(ascii_prefix(bytes));
    if (bytes.empty()) return true;
    const size_t length = announced(static_cast<uint8_t>(bytes[0]));
    if (length == 0 || !may_begin(bytes.substr(0, length))) return false;
    if (bytes.size() < length) {
      begun_count_ = static_cast<uint8_t>(bytes.size());
      std::memcpy(begun_.data(), bytes.data(), bytes.size());
      return true;
    }
    bytes.remove_prefix(length);
  }
}

}  // namespace m2
