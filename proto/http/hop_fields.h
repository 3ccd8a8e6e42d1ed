// Which fields of a message are for one hop only, by their names alone (RFC 9110 7.6.1): shared by
// the two directions of a gateway, gateway_request and gateway_answer. Bounded, allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "proto/http/syntax.h"

namespace m2 {

// Names that the Connection fields of one message may list; more is not worth the search.
inline constexpr size_t kConnectionOptionsMax = 16;

// For one hop whether or not Connection names them: RFC 9110 7.6.1, and 11.7 for those that speak
// of the credentials for a proxy.
inline bool is_hop_field(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equals_ignore_case(name, "te");
    case 7:
      return equals_ignore_case(name, "upgrade");
    case 10:
      return equals_ignore_case(name, "connection") || equals_ignore_case(name, "keep-alive");
    case 16:
      return equals_ignore_case(name, "proxy-connection");
    case 17:
      return equals_ignore_case(name, "transfer-encoding");
    case 18:
      return equals_ignore_case(name, "proxy-authenticate");
    case 19:
      return equals_ignore_case(name, "proxy-authorization");
    case 25:
      return equals_ignore_case(name, "proxy-authentication-info");
    default:
      return false;
  }
}

// What the Connection fields of one message name, but for the names that are no fields or are
// removed anyway, and for those that say where a message goes or ends: nobody removes these so.
class ConnectionOptions {
 public:
  // value: of one Connection field; must outlive the object. False: more than may be listed.
  [[nodiscard]] bool add(std::string_view value) {
    std::string_view option;
    while (next_element(value, option)) {
      if (option.empty() || equals_ignore_case(option, "close") || is_hop_field(option) ||
          equals_ignore_case(option, "host") || equals_ignore_case(option, "content-length")) {
        continue;
      }
      if (count_ == kConnectionOptionsMax) return false;
      names_[count_++] = option;
    }
    return true;
  }

  bool empty() const { return count_ == 0; }
  bool names(std::string_view field) const {
    for (size_t i = 0; i < count_; ++i) {
      if (same_name(names_[i], field)) return true;
    }
    return false;
  }

 private:
  static bool same_name(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t at = 0; at < a.size(); ++at) {
      if (ascii_lower(a[at]) != ascii_lower(b[at])) return false;
    }
    return true;
  }

  std::array<std::string_view, kConnectionOptionsMax> names_;
  size_t count_ = 0;
};

}  // namespace m2
