// Goal: any text is refused or compiled; matching gives what a plain recursive matcher gives. The
// input is the pattern, a newline, the subject. The same bytes go through RouteMap and HostMap.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "proto/route/pattern.h"
#include "proto/route/route_map.h"
#include "tests/unit/proto/route/pattern_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t newline = input.find('\n');
  if (newline == std::string_view::npos) return 0;
  const std::string_view text = input.substr(0, newline);
  const std::string_view subject = input.substr(newline + 1);

  const m2::Result<m2::Pattern> pattern = m2::Pattern::compile(text);
  if (pattern.ok()) {
    const std::optional<bool> expected = m2::reference::Matcher(text, subject).matches();
    const bool matches = pattern.value().matches(subject);
    if (expected && matches != *expected) std::abort();
    // The whole subject can only match where its beginning does.
    if (pattern.value().matches_whole(subject) && !matches) std::abort();
  }

  m2::RouteMap routes;
  if (!routes.add("/", 1).ok()) std::abort();
  const bool added = routes.add(text, 2).ok();
  const uint32_t route = routes.find(subject);
  if (route == 2 && !added) std::abort();
  const std::string_view prefix = text.substr(0, text.find('('));
  if (route == 2 && !subject.starts_with(prefix)) std::abort();

  m2::HostMap hosts;
  if (!hosts.add(text, 1).ok() && hosts.find(subject) != m2::HostMap::kNone) std::abort();
  hosts.find(subject);
  return 0;
}
