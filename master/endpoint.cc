#include "master/endpoint.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "common/owned_fd.h"

namespace m2 {
namespace {

Result<Endpoint> parse_tcp(const std::string& text, std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return Status::error(text + ": no port");
  Endpoint endpoint;
  const std::string_view digits = address.substr(colon + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  if (error != std::errc() || end != digits.data() + digits.size() || endpoint.port == 0) {
    return Status::error(text + ": the port must be a number from 1 to 65535");
  }
  std::string host(address.substr(0, colon));
  if (host == "*") host = "0.0.0.0";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&endpoint.address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    endpoint.address_bytes = sizeof *v4;
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    endpoint.address_bytes = sizeof *v6;
  } else {
    return Status::error(text + ": write the address as numbers, or * for all");
  }
  return endpoint;
}

Result<Endpoint> parse_ipc(const std::string& text, std::string_view path) {
  Endpoint endpoint;
  auto* local = reinterpret_cast<sockaddr_un*>(&endpoint.address);
  if (path.empty() || path.size() >= sizeof local->sun_path || path[0] == '@') {
    return Status::error(text + ": the path must have from 1 to " +
                         std::to_string(sizeof local->sun_path - 1) + " bytes and name a file");
  }
  local->sun_family = AF_UNIX;
  std::memcpy(local->sun_path, path.data(), path.size());
  endpoint.address_bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  endpoint.path = path;
  return endpoint;
}

// More than all workers of a server have; whoever may write to the folder could make millions, and
// keep the master at it.
constexpr size_t kLooksMax = 4096, kEntriesMax = 65536;

enum class SocketFile { kAbsent, kNotASocket, kStale, kInUse };

SocketFile look_at(const std::string& path) {
  struct stat file;
  if (::lstat(path.c_str(), &file) != 0) {
    return errno == ENOENT ? SocketFile::kAbsent : SocketFile::kNotASocket;
  }
  if (!S_ISSOCK(file.st_mode)) return SocketFile::kNotASocket;
  const Result<Endpoint> endpoint = parse_ipc(path, path);
  if (!endpoint.ok()) return SocketFile::kInUse;
  const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.value().address);
  if (::connect(probe.get(), address, endpoint.value().address_bytes) == 0) {
    return SocketFile::kInUse;
  }
  // Anything but "nobody listens" counts as in use: not ours to remove.
  return errno == ECONNREFUSED ? SocketFile::kStale : SocketFile::kInUse;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  const std::string whole(text);
  if (text.starts_with("tcp://")) return parse_tcp(whole, text.substr(6));
  if (text.starts_with("ipc://")) return parse_ipc(whole, text.substr(6));
  if (text.starts_with("unix:")) return parse_ipc(whole, text.substr(5));
  return Status::error(whole + ": must begin with tcp://, ipc:// or unix:");
}

Status clear_socket_file(const std::string& path) {
  switch (look_at(path)) {
    case SocketFile::kAbsent:
      return {};
    case SocketFile::kNotASocket:
      return Status::error(
          "there is something at that path that is not a socket (remove it, or "
          "choose another path)");
    case SocketFile::kInUse:
      return Status::error(
          "another program listens there, or it cannot be asked (stop it, or "
          "choose another path)");
    case SocketFile::kStale:
      break;
  }
  if (::unlink(path.c_str()) != 0) return Status::from_errno("remove the old socket", errno);
  return {};
}

void remove_stale_sockets(const std::string& folder, const std::string& prefix) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  if (directory == nullptr) return;
  std::vector<std::string> paths;
  for (size_t seen = 0; seen < kEntriesMax && paths.size() < kLooksMax; ++seen) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (std::string_view(entry->d_name).starts_with(prefix)) {
      paths.push_back(folder + "/" + entry->d_name);
    }
  }
  for (const std::string& path : paths) {
    if (look_at(path) == SocketFile::kStale) ::unlink(path.c_str());
  }
}

}  // namespace m2
