// A foreign value inside a message for people: one line whatever its bytes are, and not endless.
#pragma once

#include <string>
#include <string_view>

namespace m2 {

// In double quotes; control characters and bytes that are not UTF-8 as \xNN, everything else as it
// is; cut, with "..." before the closing quote, when very long.
std::string in_quotes(std::string_view value);

}  // namespace m2
