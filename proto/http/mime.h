// The MIME table: longest extension that ends the path (case-insensitive, ".tar.gz" before
// ".gz"). Built once for a generation; a look-up does not allocate and does not grow with the
// table.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace m2 {

class MimeTable {
 public:
  static constexpr size_t kExtensionBytesMax = 127;  // a longer one never matches

  // extension with its dot. The first of two equal extensions stays.
  void add(std::string_view extension, std::string_view type);
  // The type for the last segment of the path; empty: none matches. Valid as long as the table.
  std::string_view find(std::string_view path) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> types_;
  size_t longest_ = 0;
};

}  // namespace m2
