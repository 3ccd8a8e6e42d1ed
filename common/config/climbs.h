// Paths of a configuration stay in the server's folder.
#pragma once

#include <string_view>

namespace m2 {

// True: a part of the path is "..", which could lead out of the folder that it begins at.
constexpr bool climbs(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
}

inline constexpr std::string_view kMustNotClimb =
    "must not climb with \"..\"; name a file in the server's folder";

}  // namespace m2
