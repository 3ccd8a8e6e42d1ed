// Whether a conditional GET or HEAD gets the file, 304 or 412 (RFC 9110 13). Called by what serves
// files.
#include "proto/http/conditions.h"

#include <optional>

#include "proto/http/date.h"
#include "proto/http/syntax.h"

namespace m2 {
namespace {

enum class Compare : uint8_t { kStrong, kWeak };

// One element of a list of entity tags.
struct EntityTag {
  bool weak = false;
  std::string_view opaque;  // with its quotes, or a bare token
};

// Takes the next tag off the list; false: there is none left. A comma may stand within quotes, so
// this is no plain comma list.
bool next_tag(std::string_view& list, EntityTag& tag) {
  while (!list.empty() && (is_blank(list.front()) || list.front() == ',')) list.remove_prefix(1);
  if (list.empty()) return false;
  tag.weak = list.substr(0, 2) == "W/";
  if (tag.weak) list.remove_prefix(2);
  const size_t quote = !list.empty() && list.front() == '"' ? list.find('"', 1) : list.npos;
  size_t end = list.find(',', quote == list.npos ? 0 : quote + 1);
  if (end == list.npos) end = list.size();
  tag.opaque = trim_blanks(list.substr(0, end));
  list.remove_prefix(end);
  return true;
}

// Whether the list names this tag, or is "*", which any file matches.
bool names(std::string_view list, std::string_view etag, Compare compare) {
  if (trim_blanks(list) == "*") return true;
  const std::string_view bare = etag.size() < 2 ? etag : etag.substr(1, etag.size() - 2);
  EntityTag tag;
  while (next_tag(list, tag)) {
    if (tag.weak && compare == Compare::kStrong) continue;
    if (tag.opaque == etag || (!bare.empty() && tag.opaque == bare)) return true;
  }
  return false;
}

}  // namespace

Condition evaluate_conditions(const ConditionFields& fields, std::string_view etag,
                              std::time_t modified) {
  if (fields.if_match.data() != nullptr) {
    if (!names(fields.if_match, etag, Compare::kStrong)) return Condition::kPreconditionFailed;
  } else if (fields.if_unmodified_since.data() != nullptr) {
    const std::optional<std::time_t> since = parse_http_date(fields.if_unmodified_since);
    if (since && modified > *since) return Condition::kPreconditionFailed;
  }
  if (fields.if_none_match.data() != nullptr) {
    if (names(fields.if_none_match, etag, Compare::kWeak)) return Condition::kNotModified;
  } else if (fields.if_modified_since.data() != nullptr) {
    const std::optional<std::time_t> since = parse_http_date(fields.if_modified_since);
    if (since && modified <= *since) return Condition::kNotModified;
  }
  return Condition::kProceed;
}

bool if_range_holds(std::string_view value, std::string_view etag, std::time_t modified,
                    std::time_t now) {
  value = trim_blanks(value);
  if (value == etag) return true;
  const std::optional<std::time_t> date = parse_http_date(value);
  return date && *date == modified && modified < now;
}

}  // namespace m2
