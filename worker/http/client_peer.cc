// Both ends of a line of kClients.
#include "worker/http/client_peer.h"

#include <sys/socket.h>

#include <charconv>

#include "common/treaty/messages.h"

namespace m2 {
namespace {

constexpr std::string_view kOverTls = " tls";

}  // namespace

std::string passed_on_line(const ClientPeer& peer) {
  if (peer.sends_proxy_header) return std::string(kClientSendsProxyHeader);
  if (!peer.address.known() && !peer.over_tls) return {};
  std::string line = ip_text(peer.address) + " " + std::to_string(peer.port);
  if (peer.over_tls) line += kOverTls;
  return line;
}

std::optional<ClientPeer> passed_on_peer(int socket, std::string_view line) {
  if (line.empty() || line == kClientSendsProxyHeader) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      return std::nullopt;
    }
    return ClientPeer(address, !line.empty());
  }
  ClientPeer peer;
  if (line.ends_with(kOverTls)) {
    peer.over_tls = true;
    line.remove_suffix(kOverTls.size());
  }
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  if (line.substr(0, space) != "-") {  // of a unix socket
    const auto address = parse_ip(line.substr(0, space));
    if (!address) return std::nullopt;
    peer.address = *address;
  }
  const char* end = line.data() + line.size();
  const auto [used, error] = std::from_chars(line.data() + space + 1, end, peer.port);
  if (error != std::errc() || used != end) return std::nullopt;
  return peer;
}

}  // namespace m2
