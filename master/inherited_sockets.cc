#include "master/inherited_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace m2 {
namespace {

// 0: not set, or no number.
long number_of(const char* variable) {
  const char* text = std::getenv(variable);
  long number = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), number);
  return number;
}

int option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, option, &value, &size) == 0 ? value : -1;
}

uint16_t port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

std::string shown_address(const Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (endpoint.family() == AF_UNIX) return "unix:" + endpoint.path;
  const std::string port = ":" + std::to_string(endpoint.port);
  if (endpoint.family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(endpoint.address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return "tcp://" + std::string(text) + port;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(endpoint.address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return "tcp://[" + std::string(text) + "]" + port;
}

bool is_any(const Endpoint& endpoint) {
  if (endpoint.family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(endpoint.address);
    return v4.sin_addr.s_addr == htonl(INADDR_ANY);
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(endpoint.address);
  return IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

bool same_address(const Endpoint& a, const Endpoint& b) {
  if (a.family() != b.family() || a.port != b.port) return false;
  if (a.family() == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(a.address).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(b.address).sin_addr.s_addr;
  }
  return IN6_ARE_ADDR_EQUAL(&reinterpret_cast<const sockaddr_in6&>(a.address).sin6_addr,
                            &reinterpret_cast<const sockaddr_in6&>(b.address).sin6_addr);
}

}  // namespace

InheritedSockets InheritedSockets::from_environment() {
  InheritedSockets inherited;
  const bool ours = number_of("LISTEN_PID") == ::getpid();
  const long count = ours ? std::clamp(number_of("LISTEN_FDS"), 0L, long{kMost}) : 0;
  const char* names = std::getenv("LISTEN_FDNAMES");
  std::string rest = names == nullptr ? "" : names;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    const std::string name = rest.substr(0, rest.find(':'));
    rest.erase(0, std::min(rest.size(), name.size() + 1));
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) break;  // there is none
    inherited.sockets_.push_back(look_at(OwnedFd(fd), name));
  }
  return inherited;
}

InheritedSockets::Socket InheritedSockets::look_at(OwnedFd fd, std::string name) {
  Socket socket;
  Endpoint& bound = socket.endpoint;
  bound.address_bytes = sizeof bound.address;
  const bool listens = ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.address),
                                     &bound.address_bytes) == 0 &&
                       option_of(fd.get(), SOL_SOCKET, SO_ACCEPTCONN) == 1 &&
                       option_of(fd.get(), SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
  if (bound.family() == AF_INET || bound.family() == AF_INET6) {
    bound.port = port_of(bound.address);
    socket.both_families = bound.family() == AF_INET6 && is_any(bound) &&
                           option_of(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY) == 0;
  } else if (bound.family() == AF_UNIX) {
    const auto& file = reinterpret_cast<const sockaddr_un&>(bound.address);
    const size_t most = bound.address_bytes - offsetof(sockaddr_un, sun_path);
    bound.path.assign(file.sun_path, ::strnlen(file.sun_path, most));
  }
  if (listens && (bound.port != 0 || !bound.path.empty())) {
    socket.shown = shown_address(bound);
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  } else {
    bound = {};
    socket.shown = "descriptor " + std::to_string(fd.get()) + ", no listening stream socket";
  }
  socket.fd = std::move(fd);
  socket.name = std::move(name);
  return socket;
}

// systemd's paths are absolute and those of the configuration are meant inside the folder.
bool InheritedSockets::same_place(const Socket& socket, const Endpoint& endpoint) const {
  const Endpoint& bound = socket.endpoint;
  if (bound.family() == AF_UNSPEC) return false;
  if (!endpoint.path.empty()) {
    return bound.path == endpoint.path || bound.path == folder_ + "/" + endpoint.path;
  }
  if (bound.family() == AF_UNIX) return false;
  if (same_address(bound, endpoint)) return true;
  return socket.both_families && is_any(endpoint) && bound.port == endpoint.port;
}

OwnedFd InheritedSockets::find(const Endpoint& endpoint) const {
  // The exact address comes before one that is only good enough.
  for (const bool exact : {true, false}) {
    for (const Socket& socket : sockets_) {
      if (!same_place(socket, endpoint)) continue;
      if (exact && socket.endpoint.family() != endpoint.family()) continue;
      return socket.fd.duplicate();
    }
  }
  return {};
}

std::vector<std::string> InheritedSockets::unused(const std::vector<Endpoint>& places) const {
  std::vector<std::string> lines;
  for (const Socket& socket : sockets_) {
    const bool used = std::any_of(places.begin(), places.end(),
                                  [&](const Endpoint& place) { return same_place(socket, place); });
    if (used) continue;
    const std::string unit = socket.name.empty() ? "" : " (" + socket.name + ")";
    const bool listens = socket.endpoint.family() != AF_UNSPEC;
    lines.push_back("systemd passed " + socket.shown + unit +
                    (listens ? ", and the configuration does not listen there: who connects to it "
                               "waits for ever. Add a listener, or remove its ListenStream="
                             : "; only ListenStream= with Accept=no can be used"));
  }
  return lines;
}

std::vector<int> InheritedSockets::descriptors() const {
  std::vector<int> numbers;
  for (const Socket& socket : sockets_) numbers.push_back(socket.fd.get());
  return numbers;
}

std::string InheritedSockets::names() const {
  std::string names;
  for (const Socket& socket : sockets_) names += (names.empty() ? "" : ":") + socket.name;
  return names;
}

}  // namespace m2
