// The pattern language of routes and hosts (manual 3.6): Lua's patterns with a backslash as escape, no
// captures, anchored at the start. Compiled and checked once at load; matching is bounded in steps,
// so that no pattern and no path can make it run away.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace m2 {

class Pattern {
 public:
  // text: from the '(' on, as in a route; parentheses delimit and mean nothing. Refused: an unclosed set,
  // a backslash at the end, "\b" without two characters, a pattern longer than 1,024 bytes.
  static Result<Pattern> compile(std::string_view text);

  // True: the pattern matches from the start of the subject; what follows does not matter unless the pattern ends in
  // '$'. A match that would take more than a fixed number of steps counts as no match.
  bool matches(std::string_view subject) const;
  // The whole subject must be used up, as if the pattern ended in '$' (hosts).
  bool matches_whole(std::string_view subject) const;

 private:
  struct Item;
  friend struct PatternRun;
  std::vector<Item> items_;
  std::vector<uint64_t> sets_;  // 4 words a set, one bit a byte
  bool anchored_end_ = false;
};

}  // namespace m2
