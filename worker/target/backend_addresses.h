// The addresses of one backend, as the config reader or a later look-up found them. Immutable:
// connections keep the list they were made from when a new one comes.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace m2 {

struct BackendAddress {
  sockaddr_storage socket_address{};
  socklen_t length = 0;
  std::string numeric;
  std::string name;  // for logs: "backend 127.0.0.1:80", "backend [::1]:80 of app.local"
};

using BackendAddresses = std::shared_ptr<const std::vector<BackendAddress>>;

// host: as configured. numeric: each is a numeric address (CHECKed), nothing is looked up.
BackendAddresses make_addresses(const std::string& host, uint16_t port,
                                const std::vector<std::string>& numeric);

}  // namespace m2
