// The header fields of a request as a handler sees them: grouped by name without regard to case, in
// order of arrival, without those that only the server may set. Used by request_writer; points into
// the request.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "proto/http/request_head.h"

namespace m2 {

class FieldGroups {
 public:
  struct Field {
    const HeaderField* source;
    const Field* next;  // of the same name; nullptr: the last
    uint32_t tag;       // equal for equal names
    bool starts_group;  // false: reached by next
  };

  // base and fields must outlive this. Left out: x-mongrel2-*, and x-forwarded-for unless it is
  // kept.
  FieldGroups(const char* base, std::span<const HeaderField> fields, bool keep_forwarded_for);
  FieldGroups(const FieldGroups&) = delete;
  FieldGroups& operator=(const FieldGroups&) = delete;

  std::string_view name(const Field& field) const { return field.source->name.in(base_); }
  std::string_view value(const Field& field) const { return field.source->value.in(base_); }

  // Calls visit(field) with the first field of each name.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Field& field : fields_) {
      if (field.starts_group) visit(field);
    }
  }

 private:
  // Up to here a field is compared with those before it; beyond, where a client could make that
  // dear, all are sorted.
  static constexpr size_t kFewFields = 48;

  void link_few();
  void link_many();
  bool same_name(const Field& a, const Field& b) const;

  const char* const base_;
  Field few_[kFewFields];
  std::vector<Field> many_;
  std::span<Field> fields_;
};

}  // namespace m2
