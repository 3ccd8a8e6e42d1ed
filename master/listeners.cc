#include "master/listeners.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "common/log.h"
#include "master/endpoint.h"

namespace m2 {
namespace {

// 0MQ endpoints: handlers connect now and then.
constexpr uint32_t kEndpointBacklog = 4096;
// No accept queue is longer; who connects while it is being emptied must not keep us here.
constexpr int kQueueMax = 65536;

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

const sockaddr* address_of(const Endpoint& endpoint) {
  return reinterpret_cast<const sockaddr*>(&endpoint.address);
}

bool switch_on(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// The file is made with its mode: there is no moment in which it lets more people in.
int bind_file(int fd, const Endpoint& endpoint, mode_t mode) {
  const mode_t before = ::umask(0777 & ~mode);
  const int bound = ::bind(fd, address_of(endpoint), endpoint.address_bytes);
  const int error = bound == 0 ? 0 : errno;
  ::umask(before);
  return error;
}

}  // namespace

struct Listeners::Wanted {
  std::string key;
  std::string spec;
  bool http = false;
  uint32_t backlog = kEndpointBacklog;
  PlanListener listener = {};
  IpcAccess ipc = {};  // 0MQ
};

std::vector<Listeners::Wanted> Listeners::wanted_by(const Plan& plan) {
  std::vector<Wanted> wanted;
  for (const PlanListener& listener : plan.listeners) {
    wanted.push_back({http_key(listener.spec), listener.spec, true, plan.backlog, listener});
  }
  for (const std::string& spec : plan.endpoints) {
    wanted.push_back({zmq_key(spec), spec, false, kEndpointBacklog, {}, plan.ipc});
  }
  if (!plan.control_port.empty()) {
    wanted.push_back({control_key(plan.control_port), plan.control_port});
  }
  return wanted;
}

// While they share, listeners of ours may overlap: 0.0.0.0 beside 127.0.0.1 on one port, for the
// moment in which a reload replaces one by the other, or for as long as both are wanted. The kernel
// gives a client to the more specific one, IPv4 before IPv6. False: no listener of ours has the
// port, so another program has it, and we never share with one.
bool Listeners::share_port(bool on, uint16_t port, int with) const {
  const int value = on ? 1 : 0;
  bool ours = false;
  for (const auto& [key, socket] : open_) {
    if (!socket.http || socket.port != port) continue;
    ours = true;
    switch_on(socket.fd.get(), SOL_SOCKET, SO_REUSEPORT, value);
  }
  if (ours) switch_on(with, SOL_SOCKET, SO_REUSEPORT, value);
  return ours;
}

// By its descriptor: the folder belongs to the jail's user, who may put another file in its place
// at any time. Nothing but a socket is ever given away.
Status Listeners::give_away(const Socket& socket, const IpcAccess& access) const {
  if (access.uid == IpcAccess::kSame && access.gid == IpcAccess::kSame) return {};
  const OwnedFd file(::open(socket.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found;
  if (!file.valid() || ::fstat(file.get(), &found) != 0) return Status::from_errno("open", errno);
  // Who renamed a folder since the bind may have had another's socket remembered for ours.
  const bool made_by_us = !jail_.drop || found.st_uid == jail_.uid;
  if (!made_by_us || !S_ISSOCK(found.st_mode) || found.st_dev != socket.device ||
      found.st_ino != socket.inode) {
    return Status::error("something else stands in its place");
  }
  if (::fchownat(file.get(), "", access.uid, access.gid, AT_EMPTY_PATH) == 0) return {};
  return Status::error("cannot be given to handler.ipc_owner: " + std::string(strerror(errno)) +
                       " (only root can give files away; a member can choose the group)");
}

void Listeners::remember_file(Socket& socket, const std::string& path) {
  struct stat file;
  if (::lstat(path.c_str(), &file) != 0) return;
  socket.path = path;
  socket.device = file.st_dev;
  socket.inode = file.st_ino;
}

Status Listeners::bind_and_listen(const Wanted& wanted, Socket& socket) const {
  const Endpoint endpoint = std::move(parse_endpoint(wanted.spec)).value();
  const int fd = socket.fd.get();
  socket.port = endpoint.port;
  const auto listens = [&] { return ::listen(fd, static_cast<int>(wanted.backlog)) == 0; };
  if (!endpoint.path.empty()) {
    std::optional<AsJailUser> rights(jail_);
    if (Status clear = clear_socket_file(endpoint.path); !clear.ok()) {
      return std::move(clear).in("cannot listen on " + wanted.spec);
    }
    const int error = bind_file(fd, endpoint, wanted.http ? wanted.listener.mode : wanted.ipc.mode);
    if (error != 0) return refuse(wanted.spec, endpoint, error);
    remember_file(socket, endpoint.path);
    rights.reset();
    if (Status given = give_away(socket, wanted.ipc); !given.ok()) {
      return std::move(given).in("0MQ endpoint " + wanted.spec);
    }
    return listens() ? Status() : refuse(wanted.spec, endpoint, errno);
  }
  // "::" is for both families, whatever the system's default is.
  if (!switch_on(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
      (endpoint.family() == AF_INET6 && !switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0))) {
    return refuse(wanted.spec, endpoint, errno);
  }
  const auto bound = [&] { return ::bind(fd, address_of(endpoint), endpoint.address_bytes) == 0; };
  if (bound()) return listens() ? Status() : refuse(wanted.spec, endpoint, errno);
  if (errno != EADDRINUSE || !wanted.http || !share_port(true, endpoint.port, fd)) {
    return refuse(wanted.spec, endpoint, errno);
  }
  const bool listening = bound() && listens();
  const int error = errno;
  share_port(false, endpoint.port, fd);
  return listening ? Status() : refuse(wanted.spec, endpoint, error);
}

Result<Listeners::Socket> Listeners::listen_on(const Wanted& wanted) const {
  const Result<Endpoint> endpoint = parse_endpoint(wanted.spec);
  if (!endpoint.ok()) return Status::error("cannot listen: " + endpoint.message());
  Socket socket;
  socket.http = wanted.http;
  socket.listener = wanted.listener;
  socket.backlog = wanted.backlog;
  socket.fd = inherited_.find(endpoint.value());
  if (socket.fd.valid()) {
    log_info("systemd's socket serves " + wanted.spec);
    socket.port = endpoint.value().port;
    socket.systemds = true;
    return socket;
  }
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  socket.fd.reset(::socket(endpoint.value().family(), type, 0));
  if (!socket.fd.valid()) return refuse(wanted.spec, endpoint.value(), errno);
  Status listens = bind_and_listen(wanted, socket);
  if (listens.ok()) return socket;
  close(socket);
  return listens;
}

Result<Listeners::Count> Listeners::open(const Plan& plan) {
  Count count;
  std::vector<std::string> opened;
  for (const Wanted& wanted : wanted_by(plan)) {
    if (open_.contains(wanted.key)) continue;
    Result<Socket> socket = listen_on(wanted);
    if (!socket.ok() && wanted.key == control_key(plan.control_port)) {
      count.no_control = socket.message();
      continue;
    }
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

Listeners::Count Listeners::keep_only(const Plan& plan, const TakeClient& take) {
  std::map<std::string, Wanted> needed;
  for (Wanted& wanted : wanted_by(plan)) {
    std::string key = wanted.key;
    needed.emplace(std::move(key), std::move(wanted));
  }
  Count closed;
  for (auto it = open_.begin(); it != open_.end();) {
    Socket& socket = it->second;
    if (const auto wanted = needed.find(it->first); wanted != needed.end()) {
      adjust(socket, wanted->second);
      ++it;
      continue;
    }
    if (!owned_) {
      ++it;
      continue;
    }
    ++(socket.http ? closed.listeners : closed.endpoints);
    remove_file(socket);  // first, so that nobody comes after the last
    for (int i = 0; socket.http && i < kQueueMax; ++i) {
      OwnedFd client(::accept4(socket.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client.valid() && errno != ECONNABORTED && errno != EINTR) break;
      if (client.valid()) take(std::move(client), socket.listener);
    }
    close(socket);
    it = open_.erase(it);
  }
  return closed;
}

// What may change without another socket. Neither can fail in a way that matters to clients.
void Listeners::adjust(Socket& socket, const Wanted& wanted) const {
  if (socket.http && socket.backlog != wanted.backlog && !socket.systemds) {
    ::listen(socket.fd.get(), static_cast<int>(wanted.backlog));
  }
  if (socket.http && socket.listener.mode != wanted.listener.mode && file_is_ours(socket)) {
    const AsJailUser rights(jail_);
    ::chmod(socket.path.c_str(), wanted.listener.mode);
  }
  socket.backlog = wanted.backlog;
  socket.listener = wanted.listener;
}

bool Listeners::file_is_ours(const Socket& socket) const {
  struct stat file;
  return owned_ && !socket.path.empty() && ::lstat(socket.path.c_str(), &file) == 0 &&
         file.st_dev == socket.device && file.st_ino == socket.inode;
}

void Listeners::remove_file(const Socket& socket) const {
  if (!file_is_ours(socket)) return;
  const AsJailUser rights(jail_);
  ::unlink(socket.path.c_str());
}

void Listeners::close(Socket& socket) const {
  remove_file(socket);
  socket.fd.reset();
}

void Listeners::close_http() {
  for (auto it = open_.begin(); it != open_.end();) {
    if (it->second.http) close(it->second);
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

std::vector<std::string> Listeners::unused() const {
  std::vector<Endpoint> places;
  for (const auto& [key, socket] : open_) {
    const Result<Endpoint> place = parse_endpoint(std::string_view(key).substr(key.find(' ') + 1));
    if (place.ok()) places.push_back(place.value());
  }
  return inherited_.unused(places);
}

std::vector<std::pair<std::string, OwnedFd>> Listeners::duplicates() const {
  std::vector<std::pair<std::string, OwnedFd>> all;
  for (const auto& [key, socket] : open_) {
    if (!socket.systemds) all.emplace_back(key, socket.fd.duplicate());
  }
  return all;
}

void Listeners::adopt(const std::string& key, OwnedFd fd) {
  const std::string spec = key.substr(key.find(' ') + 1);
  const Result<Endpoint> endpoint = parse_endpoint(spec);
  if (!endpoint.ok() || !fd.valid()) return;
  owned_ = false;
  Socket socket;
  socket.fd = std::move(fd);
  socket.http = key == http_key(spec);
  socket.listener.spec = spec;
  socket.port = endpoint.value().port;
  if (!endpoint.value().path.empty()) remember_file(socket, endpoint.value().path);
  open_[key] = std::move(socket);
}

void Listeners::own() { owned_ = true; }

std::vector<std::string> Listeners::worker_keys(const Plan& plan, unsigned users) {
  std::vector<std::string> keys;
  for (const Wanted& wanted : wanted_by(plan)) {
    const bool control = wanted.key == control_key(plan.control_port);
    if (wanted.http || (users == 1 && !control)) keys.push_back(wanted.key);
  }
  return keys;
}

std::vector<std::string> Listeners::relay_keys(const Plan& plan, unsigned users) {
  std::vector<std::string> keys;
  for (const Wanted& wanted : wanted_by(plan)) {
    const bool control = wanted.key == control_key(plan.control_port);
    if (!wanted.http && (users > 1 || control)) keys.push_back(wanted.key);
  }
  return keys;
}

}  // namespace m2
