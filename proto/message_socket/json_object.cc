#include "proto/message_socket/json_object.h"

#include <simdjson.h>

namespace m2 {

bool is_json_object(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  return parser.parse(text.data(), text.size()).get(object) == simdjson::SUCCESS;
}

}  // namespace m2
