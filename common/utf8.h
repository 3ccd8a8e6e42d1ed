// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Used where
// foreign bytes become JSON, where text comes in pieces (WebSockets), and where the checker refuses
// text that could not be carried.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace m2 {

// Bytes of the well-formed character that bytes begin with (1 to 4); 0 when there is none.
size_t utf8_length(std::string_view bytes);

bool is_utf8(std::string_view bytes);

// A text that arrives in pieces, cut anywhere. Says no as soon as no continuation could be right.
class Utf8Check {
 public:
  // False: what was fed so far is not the beginning of any UTF-8 text; feed no more.
  bool feed(std::string_view bytes);
  // The text may end here: no character is incomplete.
  bool complete() const { return begun_count_ == 0; }
  void reset() { begun_count_ = 0; }

 private:
  std::array<char, 4> begun_{};  // the beginning of a character whose rest has not come
  uint8_t begun_count_ = 0;
};

}  // namespace m2
