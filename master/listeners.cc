#include "master/listeners.h"

#include <netinet/in.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "master/endpoint.h"

namespace m2 {
namespace {

// Also the most that a burst of new connections may queue; the kernel caps it at somaxconn.
constexpr int kBacklog = 4096;
// Owner and group of the folder may connect: handlers run as one of them.
constexpr mode_t kSocketFileUmask = 0117;

struct Wanted {
  std::string key;
  std::string spec;
  bool http;
};

std::vector<Wanted> wanted_by(const Plan& plan) {
  std::vector<Wanted> wanted;
  for (const std::string& spec : plan.listeners) wanted.push_back({http_key(spec), spec, true});
  for (const std::string& spec : plan.endpoints) wanted.push_back({zmq_key(spec), spec, false});
  if (!plan.control_port.empty()) {
    wanted.push_back({control_key(plan.control_port), plan.control_port, false});
  }
  return wanted;
}

// An IPv6 wildcard takes IPv4 clients too, unless an IPv4 listener of the same port wants them.
bool has_v4_twin(const Plan& plan, const std::string& spec) {
  const Result<Endpoint> v6 = parse_endpoint(spec);
  if (!v6.ok() || v6.value().family() != AF_INET6) return false;
  for (const std::string& other : plan.listeners) {
    const Result<Endpoint> v4 = parse_endpoint(other);
    if (v4.ok() && v4.value().family() == AF_INET && v4.value().port == v6.value().port)
      return true;
  }
  return false;
}

Status refuse(const std::string& spec, const Endpoint& endpoint, int error) {
  std::string way_out;
  if (error == EACCES && endpoint.path.empty()) {
    way_out = " (start as root, or choose a port above 1023)";
  } else if (error == EADDRINUSE) {
    way_out = " (see who listens there: ss -ltnp 'sport = :" + std::to_string(endpoint.port) + "')";
  } else if (error == EADDRNOTAVAIL) {
    way_out = " (no interface of this machine has that address)";
  } else if (error == ENOENT) {
    way_out = " (make its folder, inside server.chroot)";
  } else if (error == EACCES) {
    way_out = " (the owner of server.chroot must be able to write to its folder)";
  }
  return Status::error("cannot listen on " + spec + ": " + std::strerror(error) + way_out);
}

Status bind_file(int fd, const std::string& spec, const Endpoint& endpoint, const Jail& jail) {
  const AsJailUser rights(jail);
  if (Status clear = clear_socket_file(endpoint.path); !clear.ok()) {
    return std::move(clear).in("cannot listen on " + spec);
  }
  const mode_t before = ::umask(kSocketFileUmask);
  const int bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.address_bytes);
  const int error = errno;
  ::umask(before);
  return bound == 0 ? Status() : refuse(spec, endpoint, error);
}

Status bind_tcp(int fd, const std::string& spec, const Endpoint& endpoint, bool v6_only) {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return refuse(spec, endpoint, errno);
  }
  const int only = v6_only ? 1 : 0;
  if (endpoint.family() == AF_INET6 &&
      ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) {
    return refuse(spec, endpoint, errno);
  }
  const int bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.address_bytes);
  return bound == 0 ? Status() : refuse(spec, endpoint, errno);
}

}  // namespace

Result<Listeners::Socket> Listeners::listen_on(const std::string& spec, bool http,
                                               bool v6_only) const {
  Result<Endpoint> parsed = parse_endpoint(spec);
  if (!parsed.ok()) return std::move(parsed).status().in("cannot listen");
  const Endpoint& endpoint = parsed.value();
  Socket socket;
  socket.http = http;
  socket.fd.reset(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.fd.valid()) return refuse(spec, endpoint, errno);
  Status bound = endpoint.path.empty() ? bind_tcp(socket.fd.get(), spec, endpoint, v6_only)
                                       : bind_file(socket.fd.get(), spec, endpoint, jail_);
  if (!bound.ok()) return bound;
  struct stat file;
  if (!endpoint.path.empty() && ::lstat(endpoint.path.c_str(), &file) == 0) {
    socket.path = endpoint.path;
    socket.device = file.st_dev;
    socket.inode = file.st_ino;
  }
  if (::listen(socket.fd.get(), kBacklog) != 0) {
    const int error = errno;
    close(socket);
    return refuse(spec, endpoint, error);
  }
  return socket;
}

Result<Listeners::Count> Listeners::open(const Plan& plan) {
  Count count;
  std::vector<std::string> opened;
  for (const Wanted& wanted : wanted_by(plan)) {
    if (open_.contains(wanted.key)) continue;
    Result<Socket> socket =
        listen_on(wanted.spec, wanted.http, wanted.http && has_v4_twin(plan, wanted.spec));
    if (!socket.ok()) {
      for (const std::string& key : opened) {
        close(open_.at(key));
        open_.erase(key);
      }
      return std::move(socket).status();
    }
    open_.emplace(wanted.key, std::move(socket).value());
    opened.push_back(wanted.key);
    ++(wanted.http ? count.listeners : count.endpoints);
  }
  return count;
}

Listeners::Count Listeners::keep_only(const Plan& plan) {
  std::set<std::string> needed;
  for (const Wanted& wanted : wanted_by(plan)) needed.insert(wanted.key);
  Count closed;
  for (auto it = open_.begin(); it != open_.end();) {
    if (needed.contains(it->first)) {
      ++it;
      continue;
    }
    ++(it->second.http ? closed.listeners : closed.endpoints);
    close(it->second);
    it = open_.erase(it);
  }
  return closed;
}

void Listeners::close(Socket& socket) const {
  struct stat file;
  if (!socket.path.empty() && ::lstat(socket.path.c_str(), &file) == 0 &&
      file.st_dev == socket.device && file.st_ino == socket.inode) {
    const AsJailUser rights(jail_);
    ::unlink(socket.path.c_str());
  }
  socket.fd.reset();
}

void Listeners::close_http() {
  for (auto it = open_.begin(); it != open_.end();) {
    it = it->second.http ? open_.erase(it) : std::next(it);
  }
}

void Listeners::close_all() {
  for (auto& [key, socket] : open_) close(socket);
  open_.clear();
}

int Listeners::fd(const std::string& key) const {
  const auto found = open_.find(key);
  return found == open_.end() ? -1 : found->second.fd.get();
}

std::vector<std::string> worker_keys(const Plan& plan, unsigned workers) {
  std::vector<std::string> keys;
  for (const Wanted& wanted : wanted_by(plan)) {
    const bool control = wanted.key == control_key(plan.control_port);
    if (wanted.http || (workers == 1 && !control)) keys.push_back(wanted.key);
  }
  return keys;
}

std::vector<std::string> relay_keys(const Plan& plan, unsigned workers) {
  std::vector<std::string> keys;
  for (const Wanted& wanted : wanted_by(plan)) {
    const bool control = wanted.key == control_key(plan.control_port);
    if (!wanted.http && (workers > 1 || control)) keys.push_back(wanted.key);
  }
  return keys;
}

}  // namespace m2
