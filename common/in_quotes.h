// A foreign value inside a message for people: one line whatever its bytes are, and not endless.
#pragma once

#include <string>
#include <string_view>

namespace m2 {

// In double quotes; control characters and bytes that are not UTF-8 as \xNN, everything else as it
// is; cut, with "..." before the closing quote, when very long.
std::string in_quotes(std::string_view value);

// Text of any origin as a line of a log, of a terminal, of a status: what could end the line, begin
// another one or move what is shown before it (controls, bytes that are not UTF-8, line ends and
// marks of direction of Unicode) is \xHH.
std::string in_one_line(std::string_view text);
// Whether text is such a line as it is, for sure: printable ASCII. The quick way to find out.
bool is_one_line(std::string_view text);

}  // namespace m2
