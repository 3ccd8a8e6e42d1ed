// 0MQ would take more (interface names, wildcard ports, abstract names); the master binds the
// sockets itself and hands them on, and handlers have to know where to connect.
#include "master/store/endpoint.h"

#include <arpa/inet.h>

#include <string>

#include "common/config/climbs.h"

namespace m2 {
namespace {

// A unix address holds 107 bytes, and the run directory's own sockets are made below it.
constexpr size_t kIpcPathMax = 100;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_address(int family, std::string_view text) {
  in6_addr scratch;
  return inet_pton(family, std::string(text).c_str(), &scratch) == 1;
}

// 1 to 65535 in plain digits.
bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return false;
  unsigned port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

Status check_tcp(std::string_view rest) {
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || !is_port(rest.substr(colon + 1))) {
    return Status::error("must end in a port from 1 to 65535, as in \"tcp://127.0.0.1:9999\"");
  }
  std::string_view host = rest.substr(0, colon);
  if (host == "*" || is_address(AF_INET, host)) return {};
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed && is_address(AF_INET6, host.substr(1, host.size() - 2))) return {};
  if (is_address(AF_INET6, host)) {
    return Status::error("has an IPv6 address without brackets; write \"tcp://[" +
                         std::string(host) + "]" + std::string(rest.substr(colon)) + "\"");
  }
  return Status::error(
      "must have a numeric address of this machine, or * for all, as in \"tcp://127.0.0.1" +
      std::string(rest.substr(colon)) + "\"");
}

Status check_ipc(std::string_view path) {
  if (path.empty() || path == "*") {
    return Status::error("must name a file, as in \"ipc://run/handler\"");
  }
  if (path.front() == '@') {
    return Status::error(
        "is an abstract name; write the path of a file, as in "
        "\"ipc://run/handler\"");
  }
  if (climbs(path)) return Status::error(std::string(kMustNotClimb));
  if (path.size() >= kIpcPathMax) {
    return Status::error("has a path of 100 bytes or more; use a shorter one");
  }
  return {};
}

// Multicast (manual 5.2) could carry replies only. Whoever receives it can be ended from outside:
// libzmq answers a packet it did not expect with abort().
Status refuse_multicast(std::string_view transport, EndpointUse use) {
  const std::string name(transport);
  if (use != EndpointUse::kReplies) {
    return Status::error("cannot be multicast: 0MQ has " + name +
                         " for PUB and SUB only; write tcp://ADDRESS:PORT or ipc://PATH");
  }
  const std::string why =
      transport == "pgm://"
          ? "needs raw network sockets (CAP_NET_RAW), which no process that meets handlers may have"
          : "is refused since one bad UDP packet from anybody on the network ends the process "
            "that receives it (libzmq)";
  return Status::error(name + " " + why +
                       "; write tcp://ADDRESS:PORT or ipc://PATH, and have "
                       "docs/examples/multicast.py pass on what comes by multicast");
}

}  // namespace

Status check_endpoint(std::string_view endpoint, EndpointUse use) {
  std::string_view rest = endpoint;
  if (rest.empty()) {
    return Status::error("must be an endpoint, as in \"tcp://127.0.0.1:9999\"");
  }
  if (take_prefix(rest, "tcp://")) return check_tcp(rest);
  if (take_prefix(rest, "ipc://")) return check_ipc(rest);
  for (const std::string_view transport : {"pgm://", "epgm://"}) {
    if (endpoint.starts_with(transport)) return refuse_multicast(transport, use);
  }
  for (const std::string_view transport : {"inproc://", "udp://"}) {
    if (endpoint.starts_with(transport)) {
      return Status::error(
          "uses a transport that is not supported; write tcp://ADDRESS:PORT or "
          "ipc://PATH");
    }
  }
  return Status::error("is no endpoint; write tcp://ADDRESS:PORT or ipc://PATH");
}

bool is_numeric_address(std::string_view address) {
  return is_address(AF_INET, address) || is_address(AF_INET6, address);
}

}  // namespace m2
