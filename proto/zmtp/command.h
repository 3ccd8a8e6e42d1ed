// The commands of ZMTP 3.1 (ZeroMQ RFC 37) that a PUSH socket says and hears: READY, ERROR, PING,
// PONG. These functions know the bodies of command frames (frame.h).
#pragma once

#include <string>
#include <string_view>

namespace m2 {

struct ZmtpCommand {
  std::string_view name = {};  // empty: not a command
  std::string_view data = {};
};
ZmtpCommand read_zmtp_command(std::string_view body);

// The properties that READY carries.
struct ZmtpReady {
  bool valid = false;
  std::string_view socket_type = {};
};
ZmtpReady read_zmtp_ready(std::string_view data);

struct ZmtpPing {
  bool valid = false;
  std::string_view context = {};  // comes back with the PONG
};
ZmtpPing read_zmtp_ping(std::string_view data);

std::string zmtp_ready(std::string_view socket_type);
std::string zmtp_error(std::string_view reason);  // of at most 255 bytes
std::string zmtp_pong(std::string_view context);

}  // namespace m2
