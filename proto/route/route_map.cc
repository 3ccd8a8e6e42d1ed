#include "proto/route/route_map.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/route/pattern.h"
#include "proto/route/prefix_tree.h"

namespace m2 {

struct RouteMap::Impl {
  PrefixTree tree;
};

RouteMap::RouteMap() : impl_(std::make_unique<Impl>()) {}
RouteMap::~RouteMap() = default;
RouteMap::RouteMap(RouteMap&&) noexcept = default;
RouteMap& RouteMap::operator=(RouteMap&&) noexcept = default;

Status RouteMap::add(std::string_view route, uint32_t value) {
  const size_t bracket = route.find('(');
  if (bracket == std::string_view::npos) {
    impl_->tree.add(route, value);
    return {};
  }
  return impl_->tree
      .add(route.substr(0, bracket), route.substr(bracket), Pattern::Case::kExact, value)
      .in("route \"" + std::string(route) + "\"");
}

uint32_t RouteMap::find(std::string_view path) const {
  const PrefixTree::Hit hit = impl_->tree.longest(path);
  return impl_->tree.choose(hit.slot, [rest = path.substr(hit.length)](const Pattern& pattern) {
    return pattern.matches(rest);
  });
}

namespace {

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// "a.b:80" and "[::1]:80" without their port.
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t bracket = host.find(']');
    return bracket == std::string_view::npos ? host : host.substr(0, bracket + 1);
  }
  return host.substr(0, host.find(':'));
}

}  // namespace

struct HostMap::Impl {
  PrefixTree tree;  // over names in lower case, last byte first
};

HostMap::HostMap() : impl_(std::make_unique<Impl>()) {}
HostMap::~HostMap() = default;
HostMap::HostMap(HostMap&&) noexcept = default;
HostMap& HostMap::operator=(HostMap&&) noexcept = default;

Status HostMap::add(std::string_view matching, uint32_t value) {
  const std::string object = "host matching \"" + std::string(matching) + "\"";
  std::string_view pattern;
  std::string_view suffix = matching;
  if (const size_t open = matching.find('('); open != std::string_view::npos) {
    const size_t close = matching.rfind(')');
    if (close == std::string_view::npos || close < open) {
      return Status::error(object +
                           ": '(' without ')'; write the pattern in parentheses and "
                           "behind them the end that the names share");
    }
    pattern = matching.substr(0, close + 1);
    suffix = matching.substr(close + 1);
  }
  if (suffix.size() > kNameMax) {
    return Status::error(object + ": its end is longer than the " + std::to_string(kNameMax) +
                         " bytes that a host name can have");
  }
  std::string reversed(suffix.rbegin(), suffix.rend());
  std::transform(reversed.begin(), reversed.end(), reversed.begin(), to_lower);
  if (!pattern.empty()) {
    return impl_->tree.add(reversed, pattern, Pattern::Case::kLower, value).in(object);
  }
  impl_->tree.add(reversed, value);
  return {};
}

uint32_t HostMap::find(std::string_view host) const {
  const std::string_view name = without_port(host);
  if (name.empty() || name.size() > kNameMax) return kNone;
  char reversed[kNameMax];
  std::transform(name.rbegin(), name.rend(), reversed, to_lower);
  const PrefixTree::Hit hit = impl_->tree.longest({reversed, name.size()});
  if (hit.slot.pattern == PrefixTree::kNone) return hit.slot.plain;

  const size_t left_bytes = name.size() - hit.length;
  char left[kNameMax];
  std::transform(name.begin(), name.begin() + left_bytes, left, to_lower);
  return impl_->tree.choose(hit.slot, [&](const Pattern& pattern) {
    return pattern.matches_whole({left, left_bytes});
  });
}

}  // namespace m2
