// Any bytes as the inside of a JSON string in valid UTF-8: quotes, backslashes and control bytes
// escaped, well-formed UTF-8 as it is, each stray byte as \u00XX. The size is found once, so that
// the writer of a message can lay it out before it writes the first byte.
#pragma once

#include <cstddef>
#include <string_view>

namespace m2 {

// Bytes that write_json_text writes for this text, quotes around it not counted.
size_t json_text_size(std::string_view text);
// Writes them and returns the end; there must be room. A text as long as its json_text_size can
// just be copied.
char* write_json_text(char* to, std::string_view text);

}  // namespace m2
