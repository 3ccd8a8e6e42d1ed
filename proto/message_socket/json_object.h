// Whether a text is one JSON object. The only file beside the configuration image that knows
// simdjson.
#pragma once

#include <string_view>

namespace m2 {

bool is_json_object(std::string_view text);

}  // namespace m2
