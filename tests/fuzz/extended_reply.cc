// Goal: any body of an extended message is refused with a reason or read within its bytes. Method:
// what a checked tnetstring holds is walked to its ground and must add up to its size.
#include "proto/handler/extended_reply.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/handler/tnetstring.h"

namespace {

void walk(const m2::TnetValue& value, unsigned depth) {
  if (depth > m2::kTnetDepthMax) std::abort();
  const bool dict = value.is(m2::TnetValue::Kind::kDict);
  if (!dict && !value.is(m2::TnetValue::Kind::kList)) return;
  size_t count = 0;
  for (std::string_view rest = value.data; !rest.empty(); ++count) {
    const auto element = m2::next_tnet_value(rest);
    if (!element) std::abort();
    if (dict && count % 2 == 0 && !element->is(m2::TnetValue::Kind::kText)) std::abort();
    walk(*element, depth + 1);
  }
  if (dict && count % 2 != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = m2::parse_tnetstring(text);
  if (value.ok()) {
    walk(value.value(), 0);
    const std::string again = std::to_string(value.value().data.size()) + ":" +
                              std::string(value.value().data) +
                              static_cast<char>(value.value().kind);
    if (again != text) std::abort();
  } else if (value.message().empty()) {
    std::abort();
  }
  const auto reply = m2::parse_extended_reply(text);
  if (reply.ok() && !value.ok()) std::abort();
  if (!reply.ok() && reply.message().empty()) std::abort();
  return 0;
}
