// Reads tnetstrings, "SIZE:DATA" and a tag, where handlers write them: in extended messages.
// Strict, zero-copy, of bounded depth: what is not exactly a tnetstring to its last byte is refused
// with the place. netstring.h has the writers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/status.h"

namespace m2 {

// Lists and dictionaries within each other; far more than any message has.
inline constexpr unsigned kTnetDepthMax = 16;

struct TnetValue {
  enum class Kind : char {
    kText = ',',
    kInteger = '#',
    kFloat = '^',
    kBoolean = '!',
    kNull = '~',
    kDict = '}',
    kList = ']'
  };
  Kind kind = Kind::kNull;
  std::string_view data;  // between the colon and the tag

  bool is(Kind wanted) const { return kind == wanted; }
  // kInteger: its number, if it fits and is not negative.
  std::optional<uint64_t> unsigned_number() const;
};

// Exactly one value with all that is in it, checked; nothing may follow.
Result<TnetValue> parse_tnetstring(std::string_view text);

// Takes the next value off the data of a list, or key and value in turn off that of a dictionary.
// Only for what parse_tnetstring has checked. nullopt: there is none left.
std::optional<TnetValue> next_tnet_value(std::string_view& data);

}  // namespace m2
