// The pieces of HTTP syntax that are too long to be inline. Called by the parsers of this folder.
// Pure functions: inet_pton is used for its grammar alone.
#include "proto/http/syntax.h"

#include <arpa/inet.h>

namespace m2 {
namespace {

bool is_ipv6(std::string_view text) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  in6_addr address;
  return inet_pton(AF_INET6, copy, &address) == 1;
}

bool is_port(std::string_view text) {
  unsigned number = 0;
  for (const char c : text) {
    if (!is(c, kDigitChar)) return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
    if (number > 65535) return false;
  }
  return true;  // none at all is allowed: "host:"
}

}  // namespace

std::optional<uint64_t> parse_length(std::string_view text) {
  constexpr uint64_t kMost = INT64_MAX;
  if (text.empty()) return std::nullopt;
  uint64_t length = 0;
  for (const char c : text) {
    if (!is(c, kDigitChar)) return std::nullopt;
    const unsigned digit = static_cast<unsigned>(c - '0');
    if (length > (kMost - digit) / 10) return std::nullopt;
    length = length * 10 + digit;
  }
  return length;
}

bool is_authority(std::string_view text) {
  size_t at = 0;
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return false;
    at = close + 1;
  } else {
    while (at < text.size()) {
      if (is(text[at], kHostChar)) {
        ++at;
      } else if (text[at] == '%' && text.size() - at > 2 && is(text[at + 1], kHexChar) &&
                 is(text[at + 2], kHexChar)) {
        at += 3;
      } else {
        break;
      }
    }
    if (at == 0) return false;
  }
  return at == text.size() || (text[at] == ':' && is_port(text.substr(at + 1)));
}

}  // namespace m2
