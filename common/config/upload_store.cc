#include "common/config/upload_store.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <string>

#include "common/config/climbs.h"

namespace m2 {

Status check_temp_store(std::string_view path) {
  if (!path.ends_with("XXXXXX")) {
    return Status::error("must end in XXXXXX, as in \"uploads/body.XXXXXX\"");
  }
  if (climbs(path)) return Status::error(std::string(kMustNotClimb));
  // It is told to handlers in a header.
  const bool plain =
      std::all_of(path.begin(), path.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
  if (!plain) return Status::error("must be a path without control characters");
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (path.size() >= PATH_MAX || name.size() > NAME_MAX) {
    return Status::error("is longer than a path may be; shorten it");
  }
  return {};
}

Result<mode_t> parse_temp_store_mode(std::string_view text) {
  constexpr std::string_view kExpectation =
      "must be octal with a leading 0, from 0600 to 0777, and let the owner read and write; the "
      "default is \"0600\"";
  mode_t mode = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, mode, 8);
  if (parsed.ec != std::errc() || parsed.ptr != end || text.front() != '0' || mode > 0777 ||
      (mode & 0600) != 0600) {
    return Status::error(std::string(kExpectation));
  }
  return mode;
}

}  // namespace m2
