// The pattern language once more, as plainly as it can be said: recursive, straight from the text,
// exponential. The yardstick for Pattern in its unit test and fuzz target; never part of the
// server.
#pragma once

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace m2::reference {

class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view subject)
      : pattern_(pattern), subject_(subject) {}

  // nullopt: would take too long to find out. The pattern must be one that Pattern::compile
  // accepts.
  std::optional<bool> matches() {
    const bool found = from(0, 0);
    return steps_ > kStepsMax ? std::nullopt : std::optional<bool>(found);
  }

 private:
  static constexpr size_t kStepsMax = 200'000;

  bool from(size_t p, size_t s) {
    if (++steps_ > kStepsMax) return false;
    if (p == pattern_.size()) return true;
    const char c = pattern_[p];
    if (c == '(' || c == ')') return from(p + 1, s);
    if (c == '$' && p + 1 == pattern_.size()) return s == subject_.size();
    if (c == '\\' && pattern_[p + 1] == 'b') {
      const std::optional<size_t> end = balanced(s, pattern_[p + 2], pattern_[p + 3]);
      return end && from(p + 4, *end);
    }
    if (c == '\\' && pattern_[p + 1] == 'f') {
      const uint8_t before = s == 0 ? 0 : subject_[s - 1];
      const uint8_t behind = s == subject_.size() ? 0 : subject_[s];
      return !accepts(p + 2, before) && accepts(p + 2, behind) && from(end_of(p + 2), s);
    }
    const size_t next = end_of(p);
    switch (next < pattern_.size() ? pattern_[next] : '\0') {
      case '*':
        return repeat(p, next + 1, s, 0);
      case '-':
        return repeat(p, next + 1, s, 0);
      case '+':
        return repeat(p, next + 1, s, 1);
      case '?':
        return from(next + 1, s) || (takes(p, s) && from(next + 1, s + 1));
      default:
        return takes(p, s) && from(next, s + 1);
    }
  }

  bool repeat(size_t p, size_t next, size_t s, size_t least) {
    for (size_t count = 0;; ++count) {
      if (count >= least && from(next, s + count)) return true;
      if (!takes(p, s + count) || steps_ > kStepsMax) return false;
    }
  }

  bool takes(size_t p, size_t s) { return s < subject_.size() && accepts(p, subject_[s]); }

  // Behind the single item at p.
  size_t end_of(size_t p) const {
    if (pattern_[p] == '\\') return p + 2;
    if (pattern_[p] != '[') return p + 1;
    ++p;
    if (pattern_[p] == '^') ++p;
    do {
      p += pattern_[p] == '\\' ? 2 : 1;
    } while (pattern_[p] != ']');
    return p + 1;
  }

  bool accepts(size_t p, uint8_t byte) const {
    const char c = pattern_[p];
    if (c == '.') return true;
    if (c == '\\') return in_class(pattern_[p + 1], byte);
    if (c != '[') return static_cast<uint8_t>(c) == byte;
    const size_t close = end_of(p) - 1;
    ++p;
    const bool inverse = pattern_[p] == '^';
    if (inverse) ++p;
    while (p < close) {
      const bool escaped = pattern_[p] == '\\';
      const uint8_t low = pattern_[p + escaped];
      p += 1 + escaped;
      if (escaped && is_class(low)) {
        if (in_class(low, byte)) return !inverse;
        continue;
      }
      uint8_t high = low;
      if (p + 1 < close && pattern_[p] == '-' &&
          !(pattern_[p + 1] == '\\' && is_class(pattern_[p + 2]))) {
        const bool escaped_end = pattern_[p + 1] == '\\';
        high = pattern_[p + 1 + escaped_end];
        p += 2 + escaped_end;
      }
      if (low <= byte && byte <= high) return !inverse;
    }
    return inverse;
  }

  static bool is_class(uint8_t letter) {
    return letter != 0 &&
           std::string_view("acdlpsuwxz").find(static_cast<char>(std::tolower(letter))) !=
               std::string_view::npos;
  }

  static bool in_class(uint8_t letter, uint8_t byte) {
    if (!is_class(letter)) return letter == byte;
    const bool inverse = std::isupper(letter) != 0;
    const bool ascii = byte < 0x80;
    const auto is = [&](uint8_t c) {
      switch (std::tolower(letter)) {
        case 'a':
          return std::isalpha(c) != 0;
        case 'c':
          return std::iscntrl(c) != 0;
        case 'd':
          return std::isdigit(c) != 0;
        case 'l':
          return std::islower(c) != 0;
        case 'p':
          return std::ispunct(c) != 0;
        case 's':
          return std::isspace(c) != 0;
        case 'u':
          return std::isupper(c) != 0;
        case 'w':
          return std::isalnum(c) != 0;
        case 'x':
          return std::isxdigit(c) != 0;
        default:
          return c == 0;
      }
    };
    return (ascii && is(byte)) != inverse;
  }

  std::optional<size_t> balanced(size_t s, uint8_t open, uint8_t close) const {
    if (s == subject_.size() || static_cast<uint8_t>(subject_[s]) != open) return std::nullopt;
    size_t depth = 1;
    for (size_t i = s + 1; i < subject_.size(); ++i) {
      const uint8_t byte = subject_[i];
      if (byte == close) {
        if (--depth == 0) return i + 1;
      } else if (byte == open) {
        ++depth;
      }
    }
    return std::nullopt;
  }

  const std::string_view pattern_;
  const std::string_view subject_;
  size_t steps_ = 0;
};

}  // namespace m2::reference
