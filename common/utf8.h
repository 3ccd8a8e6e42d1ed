// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Used where
// foreign bytes become JSON and where the checker refuses text that could not be carried.
#pragma once

#include <cstddef>
#include <string_view>

namespace m2 {

// Bytes of the well-formed character that bytes begin with (1 to 4); 0 when there is none.
size_t utf8_length(std::string_view bytes);

bool is_utf8(std::string_view bytes);

}  // namespace m2
