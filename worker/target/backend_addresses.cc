#include "worker/target/backend_addresses.h"

#include <netdb.h>

#include <cstring>

#include "common/check.h"

namespace m2 {
namespace {

BackendAddress make_address(const std::string& host, uint16_t port, const std::string& numeric) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // Numeric: nothing is looked up. The config reader has resolved and checked the row.
  CHECK(::getaddrinfo(numeric.c_str(), std::to_string(port).c_str(), &hints, &found) == 0);
  BackendAddress address;
  std::memcpy(&address.socket_address, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  const bool v6 = found->ai_family == AF_INET6;
  ::freeaddrinfo(found);
  address.numeric = numeric;
  address.name = "backend " + (v6 ? "[" + numeric + "]" : numeric) + ":" + std::to_string(port);
  if (host != numeric) address.name += " of " + host;
  return address;
}

}  // namespace

BackendAddresses make_addresses(const std::string& host, uint16_t port,
                                const std::vector<std::string>& numeric) {
  auto made = std::make_shared<std::vector<BackendAddress>>();
  for (const std::string& one : numeric) made->push_back(make_address(host, port, one));
  return made;
}

}  // namespace m2
