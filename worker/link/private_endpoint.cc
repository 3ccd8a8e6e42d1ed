#include "worker/link/private_endpoint.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace m2 {
namespace {

constexpr int kBacklog = 16;          // only the relay connects
constexpr mode_t kNobodyElse = 0177;  // leaves rw for the owner

}  // namespace

Result<OwnedFd> PrivateEndpoint::listen(std::string_view endpoint) {
  const std::string name(endpoint);
  if (!endpoint.starts_with(kIpcScheme)) {
    return Status::error("0MQ endpoint " + name + ": no listening socket was offered for it");
  }
  const std::string path(endpoint.substr(kIpcScheme.size()));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Status::error("0MQ endpoint " + name + ": a path of 1 to " +
                         std::to_string(sizeof address.sun_path - 1) +
                         " bytes is possible; choose a shorter run directory");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Status::from_errno("socket for " + name, errno);
  const mode_t before = ::umask(kNobodyElse);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_error = errno;
  ::umask(before);
  if (bound != 0) return Status::from_errno("bind " + name, bind_error);
  path_ = path;
  if (::listen(fd.get(), kBacklog) != 0) return Status::from_errno("listen on " + name, errno);
  return fd;
}

void PrivateEndpoint::remove() {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace m2
