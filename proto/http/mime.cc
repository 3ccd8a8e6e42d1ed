// Extensions to MIME types. Filled when a generation is built, asked for each file served.
#include "proto/http/mime.h"

#include <algorithm>
#include <utility>

#include "proto/http/syntax.h"

namespace m2 {

void MimeTable::add(std::string_view extension, std::string_view type) {
  if (extension.size() > kExtensionBytesMax) return;
  std::string lower(extension);
  for (char& c : lower) c = ascii_lower(c);
  longest_ = std::max(longest_, lower.size());
  types_.emplace(std::move(lower), type);
}

std::string_view MimeTable::find(std::string_view path) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1: no '/' in it
  const std::string_view end = name.substr(name.size() - std::min(name.size(), longest_));
  char lower[kExtensionBytesMax];
  std::transform(end.begin(), end.end(), lower, ascii_lower);
  const std::string_view tail(lower, end.size());
  // From the first dot on, so the longest extension is found first.
  for (size_t dot = 0; (dot = tail.find('.', dot)) != std::string_view::npos; ++dot) {
    const auto found = types_.find(tail.substr(dot));
    if (found != types_.end()) return found->second;
  }
  return {};
}

}  // namespace m2
