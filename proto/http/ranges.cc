// bytes=0-99,200-,-5 against a size. Numbers above 2^64 - 1 count as that: they lie behind any end.
#include "proto/http/ranges.h"

#include <algorithm>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

// Takes digits off the front; false: there is none.
bool take_number(std::string_view& text, uint64_t& number) {
  if (text.empty() || !is(text.front(), kDigitChar)) return false;
  number = 0;
  while (!text.empty() && is(text.front(), kDigitChar)) {
    const unsigned digit = static_cast<unsigned>(text.front() - '0');
    number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    text.remove_prefix(1);
  }
  return true;
}

enum class Spec : uint8_t { kInside, kBehindTheEnd, kMalformed };

// "first-last", "first-" or "-suffix".
Spec read_spec(std::string_view spec, uint64_t size, ByteRange& range) {
  uint64_t number = 0;
  if (!take_number(spec, number)) {
    if (spec.empty() || spec.front() != '-') return Spec::kMalformed;
    spec.remove_prefix(1);
    if (!take_number(spec, number) || !spec.empty()) return Spec::kMalformed;
    if (number == 0) return Spec::kBehindTheEnd;
    range = {size - std::min(number, size), size - 1};
    return Spec::kInside;
  }
  if (spec.empty() || spec.front() != '-') return Spec::kMalformed;
  spec.remove_prefix(1);
  uint64_t last = UINT64_MAX;
  if (!spec.empty() && (!take_number(spec, last) || !spec.empty())) return Spec::kMalformed;
  if (last < number) return Spec::kMalformed;
  if (number >= size) return Spec::kBehindTheEnd;
  range = {number, std::min(last, size - 1)};
  return Spec::kInside;
}

bool overlaps(const ByteRange& range, const std::vector<ByteRange>& others) {
  return std::any_of(others.begin(), others.end(), [&range](const ByteRange& other) {
    return range.first <= other.last && other.first <= range.last;
  });
}

}  // namespace

Ranges parse_ranges(std::string_view value, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignore_case(value.substr(0, kUnit.size()), kUnit)) return {};
  value.remove_prefix(kUnit.size());
  Ranges ranges;
  size_t count = 0;
  std::string_view spec;
  while (next_element(value, spec)) {
    if (spec.empty()) continue;
    if (++count > kRangesMax) return {};
    ByteRange range;
    switch (read_spec(spec, size, range)) {
      case Spec::kMalformed:
        return {};
      case Spec::kBehindTheEnd:
        continue;
      case Spec::kInside:
        // The suffix of an empty file is all of it, and nothing that Content-Range could name.
        if (size == 0 || overlaps(range, ranges.list)) return {};
        ranges.list.push_back(range);
    }
  }
  if (count == 0) return {};
  ranges.verdict = ranges.list.empty() ? RangeVerdict::kUnsatisfiable : RangeVerdict::kPartial;
  return ranges;
}

}  // namespace m2
