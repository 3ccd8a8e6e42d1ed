#include "master/store/backend_list.h"

#include <algorithm>
#include <charconv>

#include "common/in_quotes.h"
#include "master/store/endpoint.h"

namespace m2 {
namespace {

constexpr size_t kHostBytesMax = 253;  // of a DNS name

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_name(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
  };
  return !host.empty() && host.size() <= kHostBytesMax && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), fits);
}

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port == 0) {
    return Status::error(in_quotes(text) + " is no port; write a number from 1 to 65535");
  }
  return port;
}

Result<BackendRow> parse_backend(std::string_view text, uint16_t port) {
  BackendRow row{std::string(text), port, {}};
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return Status::error(in_quotes(text) + " is no IPv6 address in brackets");
    }
    row.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (row.host.find(':') == std::string::npos || !is_numeric_address(row.host)) {
      return Status::error(in_quotes(text) + " is no IPv6 address in brackets");
    }
  } else if (!is_numeric_address(text)) {
    const size_t colon = std::min(text.find(':'), text.size());
    row.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (!rest.empty()) {
    if (rest.front() != ':') return Status::error(in_quotes(text) + ": what is behind \"]\"?");
    Result<uint16_t> own = parse_port(rest.substr(1));
    if (!own.ok()) return std::move(own).status();
    row.port = own.value();
  }
  if (!is_numeric_address(row.host) && !is_name(row.host)) {
    return Status::error(in_quotes(text) + " is neither a name nor a numeric address; write " +
                         "\"host\", \"host:port\" or \"[IPv6]:port\"");
  }
  return row;
}

}  // namespace

Result<std::vector<BackendRow>> parse_backends(std::string_view addr, uint16_t port) {
  std::vector<BackendRow> rows;
  for (bool more = true; more;) {
    const size_t comma = addr.find(',');
    more = comma != std::string_view::npos;
    const std::string_view text = trim(addr.substr(0, comma));
    if (more) addr.remove_prefix(comma + 1);
    if (text.empty()) return Status::error("must be the name or address of a server");
    Result<BackendRow> row = parse_backend(text, port);
    if (!row.ok()) return std::move(row).status();
    if (std::find(rows.begin(), rows.end(), row.value()) != rows.end()) {
      return Status::error(in_quotes(text) + " is there twice; name each server once");
    }
    rows.push_back(std::move(row).value());
  }
  if (rows.size() > kBackendsMax) {
    return Status::error("names " + std::to_string(rows.size()) + " servers; at most " +
                         std::to_string(kBackendsMax) + " can be");
  }
  return rows;
}

}  // namespace m2
