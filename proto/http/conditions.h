// Conditional requests (RFC 9110, 13) against one file: entity tag and modification time.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

namespace m2 {

enum class Condition : uint8_t { kProceed, kNotModified, kPreconditionFailed };

struct ConditionFields {  // values as received; absent: data() == nullptr
  std::string_view if_match, if_none_match, if_modified_since, if_unmodified_since;
};

// etag: strong, with its quotes. A bare token without quotes is accepted too (Mongrel2 1.x
// clients). Order of precedence as in RFC 9110, 13.2.2; the method is GET or HEAD. Dates that are
// none are ignored. A field that came more than once is given as one, joined by commas.
Condition evaluate_conditions(const ConditionFields& fields, std::string_view etag,
                              std::time_t modified);

// Whether If-Range lets ranges count (RFC 9110 13.1.5): the strong tag itself, or exactly the time
// of the last modification once its second is over, so that it names one state of the file.
bool if_range_holds(std::string_view value, std::string_view etag, std::time_t modified,
                    std::time_t now);

}  // namespace m2
