// The MIME table: longest extension that ends the path (compat: case-insensitive, ".tar.gz" before
// ".gz"). Built once for a generation; a look-up does not allocate and does not grow with the table.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace m2 {

class MimeTable {
 public:
  void add(std::string_view extension, std::string_view type);  // extension with its dot
  // Empty: none matches.
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
