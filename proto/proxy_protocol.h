// The header that a load balancer sends ahead of a client's bytes: PROXY protocol versions 1 (text)
// and 2 (binary), after haproxy's doc/proxy-protocol.txt. Read by connections of listeners that
// expect it; whom to believe is decided there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/ip_network.h"

namespace m2 {

// Version 1 has at most 107 bytes. Version 2 may announce 64 KiB; nobody sends more than this.
inline constexpr size_t kProxyHeaderBytesMax = 4096;

struct ProxyHeader {
  enum class State : uint8_t {
    kIncomplete,  // so far a header; more bytes are needed
    kBad,         // what says why
    kComplete
  };
  State state = State::kIncomplete;
  size_t bytes = 0;       // kComplete: length of the header; the client's bytes begin there
  IpAddress source = {};  // of the client; none: the connection itself is meant (UNKNOWN, LOCAL),
                          // or the client of a unix socket
  uint16_t port = 0;
  bool tls = false;  // the client spoke TLS with the balancer: version 2 can say so
  std::string_view what = {};
};

// bytes: all that has arrived. Addresses of the other end are checked for their form and not used;
// of the extensions (TLV) only the one about TLS is looked at.
ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace m2
