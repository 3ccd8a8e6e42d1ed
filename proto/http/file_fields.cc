// Most requests have none of these fields, so the length of a name is looked at before its letters.
#include "proto/http/file_fields.h"

#include "proto/http/syntax.h"

namespace m2 {

// Where the value of the field of this name belongs; nullptr: nobody here asks for it.
std::string_view* FileFields::place(std::string_view name) {
  const auto if_named = [name](std::string_view lower, std::string_view& value) {
    return equals_ignore_case(name, lower) ? &value : nullptr;
  };
  switch (name.size()) {
    case 5:
      return if_named("range", range);
    case 8:
      if (equals_ignore_case(name, "if-range")) return &if_range;
      return if_named("if-match", conditions.if_match);
    case 13:
      return if_named("if-none-match", conditions.if_none_match);
    case 15:
      return if_named("accept-encoding", accept_encoding);
    case 17:
      return if_named("if-modified-since", conditions.if_modified_since);
    case 19:
      return if_named("if-unmodified-since", conditions.if_unmodified_since);
    default:
      return nullptr;
  }
}

FileFields::FileFields(const RequestHead& head, const char* base) {
  for (const HeaderField& field : head.fields) {
    std::string_view* value = place(field.name.in(base));
    if (value == nullptr) continue;
    if (value->data() == nullptr) {
      *value = field.value.in(base);
      continue;
    }
    std::string& both = joined_.emplace_front(*value);
    both.append(", ").append(field.value.in(base));
    *value = both;
  }
  conditional = conditions.if_match.data() != nullptr ||
                conditions.if_none_match.data() != nullptr ||
                conditions.if_modified_since.data() != nullptr ||
                conditions.if_unmodified_since.data() != nullptr;
}

}  // namespace m2
