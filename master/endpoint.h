// Addresses to listen on, as the plan spells them, and the socket files of ipc endpoints. Nothing
// here looks a name up: addresses are numbers.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

namespace m2 {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::string path;   // ipc, unix: of the socket file, as written
  uint16_t port = 0;  // tcp
  int family() const { return address.ss_family; }
};

// "tcp://127.0.0.1:80", "tcp://[::]:80", "tcp://*:80" (every IPv4 address), "ipc://run/control",
// "unix:run/web".
Result<Endpoint> parse_endpoint(std::string_view text);

// Makes way for a socket file. Fine: nothing is there, or a socket that nobody listens on (it is
// removed). Refused: a socket in use, or anything else, which is left alone.
Status clear_socket_file(const std::string& path);

// Removes the socket files in folder whose names begin with prefix and that nobody listens on:
// private endpoints of workers that are dead.
void remove_stale_sockets(const std::string& folder, const std::string& prefix);

}  // namespace m2
