// Request targets: origin-form, absolute-form and "*" (RFC 9112 3.2), character by character as RFC
// 3986 has it, and with those that browsers leave raw. Called once for each request by
// RequestParser.
#include "proto/http/request_target.h"

#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr std::string_view kBlank = "blank in the target, or more than one around it (RFC 9112 3)";

Slice slice(size_t begin, size_t end) {
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin)};
}

// Passes over characters of the class and %XX. Returns where it stopped; a '%' there is a bad
// escape.
size_t skip(const char* base, size_t at, size_t end, uint16_t classes) {
  for (;;) {
    while (at < end && is(base[at], classes)) ++at;
    if (end - at < 3 || base[at] != '%') return at;
    if (!is(base[at + 1], kHexChar) || !is(base[at + 2], kHexChar)) return at;
    at += 3;
  }
}

// Path, query and fragment from at to end; an empty path becomes `empty_path`.
TargetFault parse_path(const char* base, size_t at, size_t end, Slice empty_path, bool relaxed,
                       RequestHead& head) {
  constexpr uint16_t kInPath = kPathChar | kRawPathChar;
  constexpr uint16_t kInQuery = kUriQueryChar | kRawQueryChar;
  const size_t path = at;
  at = skip(base, at, end, relaxed ? kInPath | kRelaxedChar : kInPath);
  head.path = at == path ? empty_path : slice(path, at);
  if (at < end && base[at] == '?') {
    const size_t query = at + 1;
    at = skip(base, query, end, kInQuery);
    head.query = slice(query, at);
    head.has_query = true;
  }
  if (at < end && base[at] == '#') {
    const size_t fragment = at + 1;
    at = skip(base, fragment, end, kInQuery);
    head.fragment = slice(fragment, at);
    head.has_fragment = true;
  }
  if (at == end) return {};
  switch (base[at]) {
    case '%':
      return {"'%' without two hexadecimal digits in the target (RFC 3986 2.1)", at};
    case ' ':
      return {kBlank, at};
    default:
      return {"character not allowed in the target (RFC 3986 3)", at};
  }
}

TargetFault parse_absolute(const char* base, size_t at, size_t end, bool relaxed,
                           RequestHead& head) {
  size_t stop = at;
  while (stop < end && base[stop] != '/' && base[stop] != '?' && base[stop] != '#') ++stop;
  head.host = slice(at, stop);
  head.has_host = true;
  if (!is_authority(head.host.in(base))) {
    return {"bad host or port in an absolute target (RFC 9110 4.2)", at};
  }
  // A URI without a path means "/": the second slash of "//" lends itself.
  return parse_path(base, stop, end, slice(at - 1, at), relaxed, head);
}

}  // namespace

TargetFault parse_target(const char* base, bool relaxed, RequestHead& head) {
  const size_t begin = head.target.offset;
  const size_t end = begin + head.target.length;
  const std::string_view target = head.target.in(base);
  if (target.empty()) return {"the target is missing (RFC 9112 3)", begin};
  if (target.front() == '/') return parse_path(base, begin, end, {}, relaxed, head);
  if (target.front() == ' ') return {kBlank, begin};
  if (target == "*") {
    head.path = head.target;
    if (head.method.in(base) == "OPTIONS") return {};
    return {"target '*' with a method other than OPTIONS (RFC 9112 3.2.4)", begin};
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equals_ignore_case(target.substr(0, scheme.size()), scheme)) {
      head.is_https = scheme.size() == 8;
      return parse_absolute(base, begin + scheme.size(), end, relaxed, head);
    }
  }
  return {"the target is neither a path nor an http or https URI (RFC 9112 3.2)", begin};
}

}  // namespace m2
