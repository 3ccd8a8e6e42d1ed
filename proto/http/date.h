// HTTP dates (RFC 9110, 5.6.7).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

namespace m2 {

inline constexpr size_t kHttpDateBytes = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"

// Writes kHttpDateBytes bytes, no NUL.
void write_http_date(std::time_t when, char* out);
// All three forms of the RFC; nothing else.
std::optional<std::time_t> parse_http_date(std::string_view text);

}  // namespace m2
