#include "proto/zmtp/command.h"

#include <strings.h>

#include <cstdint>

namespace m2 {
namespace {

constexpr std::string_view kSocketType = "Socket-Type";
constexpr size_t kValueLengthBytes = 4;
constexpr size_t kTtlBytes = 2;
constexpr size_t kPingContextMax = 16;

// Takes a field with a length of so many bytes in front off data. False: it is not whole.
bool take_field(std::string_view& data, size_t length_bytes, std::string_view& field) {
  if (data.size() < length_bytes) return false;
  uint64_t length = 0;
  for (size_t at = 0; at < length_bytes; ++at) {
    length = length << 8 | static_cast<uint8_t>(data[at]);
  }
  data.remove_prefix(length_bytes);
  if (data.size() < length) return false;
  field = data.substr(0, length);
  data.remove_prefix(length);
  return true;
}

std::string short_field(std::string_view text) {
  return std::string(1, static_cast<char>(text.size())).append(text);
}

bool is_name(std::string_view found, std::string_view name) {
  return found.size() == name.size() && ::strncasecmp(found.data(), name.data(), name.size()) == 0;
}

}  // namespace

ZmtpCommand read_zmtp_command(std::string_view body) {
  ZmtpCommand command;
  if (!take_field(body, 1, command.name) || command.name.empty()) return {};
  command.data = body;
  return command;
}

ZmtpReady read_zmtp_ready(std::string_view data) {
  ZmtpReady ready;
  while (!data.empty()) {
    std::string_view name, value;
    if (!take_field(data, 1, name) || name.empty()) return {};
    if (!take_field(data, kValueLengthBytes, value)) return {};
    if (is_name(name, kSocketType)) ready.socket_type = value;
  }
  ready.valid = true;
  return ready;
}

ZmtpPing read_zmtp_ping(std::string_view data) {
  if (data.size() < kTtlBytes || data.size() > kTtlBytes + kPingContextMax) return {};
  return {true, data.substr(kTtlBytes)};
}

std::string zmtp_ready(std::string_view socket_type) {
  std::string body = short_field("READY") + short_field(kSocketType);
  body.append(kValueLengthBytes - 1, '\0');
  return body + short_field(socket_type);
}

std::string zmtp_error(std::string_view reason) {
  return short_field("ERROR") + short_field(reason.substr(0, UINT8_MAX));
}

std::string zmtp_pong(std::string_view context) { return short_field("PONG").append(context); }

}  // namespace m2
