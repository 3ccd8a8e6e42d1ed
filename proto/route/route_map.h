// Host and path to a target. Cost depends on the length of the name, not on how many there are: a
// radix tree over prefixes. What an entry means is the caller's: it stores a number. Tables of
// examples: docs/routing.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "common/status.h"

namespace m2 {

// Longest prefix of the subject, then the pattern of that prefix's entries (manual 3.4.3, 3.6): no
// fallback to a shorter prefix when the pattern fails.
class RouteMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  RouteMap();
  ~RouteMap();
  RouteMap(RouteMap&&) noexcept;
  RouteMap& operator=(RouteMap&&) noexcept;

  // route: "/images/(.*.jpg)". Entries with the same prefix are tried in the order added, an entry
  // without a pattern last; of two without a pattern the first wins. Refused: a bad pattern.
  Status add(std::string_view route, uint32_t value);
  // path: raw, without the query. kNone: nothing matches.
  uint32_t find(std::string_view path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Host names by their end: literal suffix "test.com" (whole name or any name that ends in it), or
// pattern and literal suffix "(.*).example.org". Case-insensitive. Longest literal suffix wins; if
// its pattern fails nothing matches (the caller takes the default host).
class HostMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kNameMax = 256;
  HostMap();
  ~HostMap();
  HostMap(HostMap&&) noexcept;
  HostMap& operator=(HostMap&&) noexcept;

  // Several patterns before one suffix are tried in the order added; the first of two equal entries
  // wins. Refused: a bad pattern, '(' without ')', a suffix longer than kNameMax.
  Status add(std::string_view matching, uint32_t value);
  // host: Host value; a port behind it is ignored ("a.b:80", "[::1]:80"). Allocates only where
  // Pattern does; a name longer than kNameMax is nobody's.
  uint32_t find(std::string_view host) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace m2
