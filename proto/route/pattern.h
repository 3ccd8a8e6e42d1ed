// The pattern language of routes and hosts (manual 3.6): Lua's patterns with a backslash as escape,
// no captures, anchored at the start. Compiled and checked once at load. Used by RouteMap and
// HostMap; it never backtracks, so that no pattern and no path can make it run away.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace m2 {

class Pattern {
 public:
  // kLower: for subjects in lower case; capitals of the pattern count as small letters.
  enum class Case { kExact, kLower };

  // text: from the '(' on, as in a route; parentheses delimit and mean nothing. Refused: an
  // unclosed set, a range that runs backwards, a backslash at the end, "\b" without two characters,
  // "\f" without a set, a pattern longer than kMaxBytes.
  static Result<Pattern> compile(std::string_view text, Case letters = Case::kExact);
  static constexpr size_t kMaxBytes = 1024;

  // True: the pattern matches from the start of the subject; what follows does not matter unless
  // the pattern ends in '$'. Costs at most items x bytes of the subject; allocates only for
  // subjects above 1,023 bytes and for "\b" on nested text.
  bool matches(std::string_view subject) const { return run(subject, anchored_end_); }
  // The whole subject must be used up, as if the pattern ended in '$' (hosts).
  bool matches_whole(std::string_view subject) const { return run(subject, true); }

 private:
  // What one item accepts, and how often.
  enum class Kind : uint8_t { kByte, kAny, kSet, kBalanced, kFrontier };
  enum class Repeat : uint8_t { kOnce, kOptional, kAnyNumber, kAtLeastOnce };
  struct Item {
    Kind kind = Kind::kByte;
    Repeat repeat = Repeat::kOnce;
    uint8_t first = 0;   // kByte: the byte; kBalanced: what opens
    uint8_t second = 0;  // kBalanced: what closes
    uint16_t set = 0;    // kSet, kFrontier: index into sets_
  };
  struct Set {
    uint64_t words[4] = {};  // one bit a byte
    bool has(uint8_t byte) const { return (words[byte >> 6] >> (byte & 63)) & 1; }
    void add(uint8_t byte) { words[byte >> 6] |= uint64_t{1} << (byte & 63); }
  };
  class Compiler;
  class Reach;

  bool run(std::string_view subject, bool to_the_end) const;

  std::vector<Item> items_;
  std::vector<Set> sets_;
  bool anchored_end_ = false;
};

}  // namespace m2
