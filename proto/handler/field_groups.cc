#include "proto/handler/field_groups.h"

#include <algorithm>

namespace m2 {

namespace {

uint8_t to_lower(char c) {
  const uint8_t byte = static_cast<uint8_t>(c);
  return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool name_before(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return to_lower(x) < to_lower(y); });
}

// Cheap, and different for nearly all names that stand in one request.
uint32_t tag_of(std::string_view name) {
  if (name.empty()) return 0;
  return static_cast<uint32_t>(name.size()) << 24 | to_lower(name.front()) << 16 |
         to_lower(name[name.size() / 2]) << 8 | to_lower(name.back());
}

bool is_left_out(std::string_view name, bool keep_forwarded_for) {
  constexpr std::string_view kServerOnly = "x-mongrel2-";
  constexpr std::string_view kForwardedFor = "x-forwarded-for";
  if (name.size() < kServerOnly.size() || to_lower(name[0]) != 'x') return false;
  return equal_names(name.substr(0, kServerOnly.size()), kServerOnly) ||
         (!keep_forwarded_for && equal_names(name, kForwardedFor));
}

}  // namespace

FieldGroups::FieldGroups(const char* base, std::span<const HeaderField> fields,
                         bool keep_forwarded_for)
    : base_(base) {
  if (fields.size() > kFewFields) many_.resize(fields.size());
  fields_ = {fields.size() > kFewFields ? many_.data() : few_, fields.size()};
  size_t kept = 0;
  for (const HeaderField& field : fields) {
    const std::string_view name = field.name.in(base);
    if (is_left_out(name, keep_forwarded_for)) continue;
    fields_[kept++] = {&field, nullptr, tag_of(name), true};
  }
  fields_ = fields_.first(kept);
  if (kept > kFewFields) {
    link_many();
  } else {
    link_few();
  }
}

bool FieldGroups::same_name(const Field& a, const Field& b) const {
  return a.tag == b.tag && equal_names(name(a), name(b));
}

void FieldGroups::link_few() {
  uint64_t seen = 0;  // one bit for each tag met, several tags to a bit
  for (size_t i = 0; i < fields_.size(); ++i) {
    const uint64_t bit = uint64_t{1} << ((fields_[i].tag * 0x9e3779b1u) >> 26);
    for (size_t j = seen & bit ? i : 0; j-- > 0;) {
      if (!same_name(fields_[j], fields_[i])) continue;
      fields_[j].next = &fields_[i];
      fields_[i].starts_group = false;
      break;
    }
    seen |= bit;
  }
}

void FieldGroups::link_many() {
  std::vector<Field*> order;
  order.reserve(fields_.size());
  for (Field& field : fields_) order.push_back(&field);
  std::stable_sort(order.begin(), order.end(), [this](const Field* a, const Field* b) {
    return name_before(name(*a), name(*b));
  });
  for (size_t i = 1; i < order.size(); ++i) {
    if (!same_name(*order[i - 1], *order[i])) continue;
    order[i - 1]->next = order[i];
    order[i]->starts_group = false;
  }
}

}  // namespace m2
