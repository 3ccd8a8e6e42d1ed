#include "proto/handler/cut_id.h"

#include <charconv>
#include <limits>
#include <optional>

namespace m2 {
namespace {

std::optional<int64_t> as_int(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number < std::numeric_limits<int32_t>::min()) return std::nullopt;
  if (number > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return number;
}

}  // namespace

bool fits_an_int(std::string_view text) { return as_int(text).has_value(); }

bool is_cut(std::string_view text, ConnectionId id) {
  const std::optional<int64_t> number = as_int(text);
  if (!number || is_short(id)) return false;
  return static_cast<uint32_t>(*number) == static_cast<uint32_t>(id) ||
         *number == std::numeric_limits<int32_t>::max() ||
         *number == std::numeric_limits<uint32_t>::max();
}

}  // namespace m2
