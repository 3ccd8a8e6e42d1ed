// Path safety by descriptor. Each name is looked at (O_PATH) before it is opened.
#include "worker/target/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <utility>

#include "common/descriptor_budget.h"
#include "common/log.h"

namespace m2 {
namespace {

constexpr int kLookFlags = O_PATH | O_CLOEXEC;
// A name may be exchanged after the look: never wait for a FIFO, never become anybody's terminal.
constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
// A rename anywhere at the moment of a look makes the kernel give up on ".." in links (EAGAIN).
constexpr int kTries = 16;

OwnedFd openat2_beneath(int base, const char* relative, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int i = 1;; ++i) {
    const long fd = ::syscall(SYS_openat2, base, relative, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || i == kTries) {
      return OwnedFd(static_cast<int>(fd));
    }
  }
}

OwnedFd walk_beneath(int base, const std::string& relative, int flags) {
  OwnedFd folder(::fcntl(base, F_DUPFD_CLOEXEC, 0));
  size_t start = 0;
  while (folder.valid()) {
    const size_t slash = relative.find('/', start);
    const std::string name = relative.substr(start, slash - start);
    if (name == "..") {
      errno = EXDEV;
      return {};
    }
    if (slash == std::string::npos) {
      OwnedFd file(::openat(folder.get(), name.empty() ? "." : name.c_str(), flags | O_NOFOLLOW));
      struct stat found {};
      if (!file.valid() || ::fstat(file.get(), &found) != 0) return {};
      if (!S_ISLNK(found.st_mode)) return file;
      errno = ELOOP;  // O_PATH opens the link itself
      return {};
    }
    folder.reset(
        ::openat(folder.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    start = slash + 1;
  }
  return {};
}

struct Free {
  void operator()(char* text) const { std::free(text); }
};

// Where an absolute link leads, if that is beneath the base: the path to it from there.
std::string resolved_beneath(const std::string& base, const std::string& relative) {
  std::unique_ptr<char, Free> real_base(::realpath(base.c_str(), nullptr));
  std::unique_ptr<char, Free> real(::realpath((base + relative).c_str(), nullptr));
  if (!real_base || !real) return {};
  const std::string prefix = std::string(real_base.get()) + '/';
  const std::string path = real.get();
  return path.starts_with(prefix) ? path.substr(prefix.size()) : std::string();
}

OwnedFd open_one(int base, const std::string& relative, int flags, Resolver resolver) {
  if (resolver == Resolver::kWalk) return walk_beneath(base, relative, flags);
  return openat2_beneath(base, relative.empty() ? "." : relative.c_str(), flags);
}

OwnedFd look_and_open(int base, const std::string& relative, Resolver resolver) {
  const OwnedFd seen = open_one(base, relative, kLookFlags, resolver);
  if (!seen.valid()) return {};
  struct stat file {};
  if (::fstat(seen.get(), &file) != 0) return {};
  if (!S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode)) {
    errno = ENXIO;
    return {};
  }
  return open_one(base, relative, kReadFlags, resolver);
}

}  // namespace

Resolver best_resolver() {
  const OwnedFd here = openat2_beneath(AT_FDCWD, ".", kLookFlags);
  // ENOSYS: an old kernel. EPERM: a container that knows only older calls.
  if (here.valid() || (errno != ENOSYS && errno != EPERM)) return Resolver::kKernel;
  log_warn(
      "openat2 is not available here (Linux 5.6, and containers that allow it, have it): "
      "Dirs follow no links");
  return Resolver::kWalk;
}

OwnedFd open_beneath(const std::string& base, const std::string& relative, Resolver resolver) {
  const OwnedFd folder(::open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return {};
  OwnedFd file = look_and_open(folder.get(), relative, resolver);
  if (file.valid() || errno != EXDEV || resolver != Resolver::kKernel) {
    return within_budget(std::move(file), DescriptorUse::kWork);
  }
  const std::string inside = resolved_beneath(base, relative);
  if (!inside.empty()) {
    return within_budget(look_and_open(folder.get(), inside, resolver), DescriptorUse::kWork);
  }
  errno = EXDEV;
  return {};
}

}  // namespace m2
