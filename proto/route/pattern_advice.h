// What a pattern says that is legal and surely not meant, because it comes from another language of
// patterns. Called by the checker of configurations.
#pragma once

#include <string>
#include <string_view>

namespace m2 {

// text: from the '(' on, as in a route. What is odd about it and what to write; "": nothing.
std::string pattern_advice(std::string_view text);

}  // namespace m2
