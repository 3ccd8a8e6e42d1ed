// HTTP dates (RFC 9110, 5.6.7). No locale, no time zone, no clock.
#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <string_view>

namespace m2 {

inline constexpr size_t kHttpDateBytes = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"

// Writes kHttpDateBytes bytes, no NUL. Times outside the years 0 to 9999 become the nearest within.
void write_http_date(std::time_t when, char* out);
// All three forms of the RFC; nothing else. Two-digit years are 1970 to 2069.
std::optional<std::time_t> parse_http_date(std::string_view text);

}  // namespace m2
