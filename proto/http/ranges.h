// The Range field of a request for a file (RFC 9110 14). Called by what serves files; knows sizes,
// never content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace m2 {

struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive, below the size
  uint64_t length() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

enum class RangeVerdict : uint8_t { kWhole, kPartial, kUnsatisfiable };

struct Ranges {
  RangeVerdict verdict = RangeVerdict::kWhole;
  std::vector<ByteRange> list;  // kPartial: in the order asked for, at least one, none overlap
};

inline constexpr size_t kRangesMax = 16;

// What a Range value means for size bytes. kWhole, which is always allowed (14.2): the value is not
// well formed, has another unit, names more than kRangesMax ranges, or ranges that overlap (no
// client needs a byte twice; sets of them are an old attack). Ranges that lie behind the end are
// dropped; kUnsatisfiable: all of them did.
Ranges parse_ranges(std::string_view value, uint64_t size);

}  // namespace m2
