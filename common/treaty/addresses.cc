#include "common/treaty/addresses.h"

#include <arpa/inet.h>

#include <algorithm>

namespace m2 {
namespace {

// "fe80::1%eth0" too, which getnameinfo writes.
bool is_numeric(const std::string& text) {
  in6_addr address;
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

std::string_view take_until(std::string_view& text, char mark) {
  const size_t end = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + 1));
  return part;
}

}  // namespace

std::string write_addresses(const NamedAddresses& addresses) {
  std::string bytes;
  for (const auto& [name, numeric] : addresses) {
    bytes.append(name);
    for (const std::string& one : numeric) bytes.append(" ").append(one);
    bytes.append("\n");
  }
  return bytes;
}

Result<NamedAddresses> read_addresses(std::string_view bytes) {
  NamedAddresses addresses;
  while (!bytes.empty()) {
    if (bytes.find('\n') == std::string_view::npos) {
      return Status::error("addresses: the last line is cut off");
    }
    std::string_view line = take_until(bytes, '\n');
    std::vector<std::string>& numeric = addresses[std::string(take_until(line, ' '))];
    while (!line.empty()) {
      numeric.emplace_back(take_until(line, ' '));
      if (!is_numeric(numeric.back())) {
        return Status::error("addresses: not numeric: " + numeric.back());
      }
    }
    if (numeric.empty()) return Status::error("addresses: a name without an address");
  }
  return addresses;
}

}  // namespace m2
