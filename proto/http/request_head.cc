// The parsed head of a request: emptying it and finding a field. Used by whoever routes or answers.
#include "proto/http/request_head.h"

#include <utility>

#include "proto/http/syntax.h"

namespace m2 {

void RequestHead::clear() {
  std::vector<HeaderField> kept = std::move(fields);
  kept.clear();
  *this = RequestHead();
  fields = std::move(kept);
}

const HeaderField* RequestHead::find(const char* base, std::string_view lower_case_name) const {
  for (const HeaderField& field : fields) {
    if (equals_ignore_case(field.name.in(base), lower_case_name)) return &field;
  }
  return nullptr;
}

}  // namespace m2
