// Percent-decoding and dot segments (RFC 3986 2.1, 5.2.4). Called by targets that look up files;
// knows no file system.
#include "proto/http/uri.h"

#include "proto/http/syntax.h"

namespace m2 {

bool percent_decode(std::string_view raw, std::string& out) {
  if (raw.find('\0') != std::string_view::npos) return false;
  out.clear();
  for (;;) {
    const size_t percent = raw.find('%');
    out.append(raw.substr(0, percent));
    if (percent == std::string_view::npos) return true;
    raw.remove_prefix(percent);
    if (raw.size() < 3 || !is(raw[1], kHexChar) || !is(raw[2], kHexChar)) return false;
    const char c = static_cast<char>(hex_value(raw[1]) << 4 | hex_value(raw[2]));
    if (c == '\0') return false;
    out.push_back(c);
    raw.remove_prefix(3);
  }
}

bool remove_dot_segments(std::string_view decoded, std::string& out) {
  out.clear();  // empty, or whole segments with a '/' behind each
  for (;;) {
    const size_t slash = decoded.find('/');
    const std::string_view segment = decoded.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    if (segment == "..") {
      if (out.empty()) return false;
      out.pop_back();
      out.resize(out.rfind('/') + 1);  // npos + 1: nothing is left
    } else if (!segment.empty() && segment != ".") {
      out.append(segment);
      if (!last) out.push_back('/');
    }
    if (last) return true;
    decoded.remove_prefix(slash + 1);
  }
}

void append_uri(std::string_view raw, std::string& out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : raw) {
    if (is(c, kUriQueryChar) || c == '%') {
      out += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

}  // namespace m2
