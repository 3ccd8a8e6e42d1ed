// Who is at the other end of a client's socket, and how one worker tells another of it (kClients).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/ip_network.h"

namespace m2 {

struct ClientPeer {
  IpAddress address;  // none: a unix socket
  uint16_t port = 0;
  bool sends_proxy_header = false;  // before anything else; address is then the balancer's
  bool over_tls = false;            // it speaks TLS with whoever passes its bytes on

  ClientPeer() = default;
  ClientPeer(const sockaddr_storage& peer, bool proxied = false)  // NOLINT: implicit on purpose
      : sends_proxy_header(proxied) {
    address = ip_of(peer, port);
  }
};

// A line of kClients (messages.h), in both directions. nullopt: the client is gone, or the line is
// none.
std::string passed_on_line(const ClientPeer& peer);
std::optional<ClientPeer> passed_on_peer(int socket, std::string_view line);

}  // namespace m2
