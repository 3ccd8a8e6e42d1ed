// Path safety by descriptor: the kernel resolves the path and refuses to leave the base.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include "worker/target/file_cache.h"

namespace m2 {
namespace {

// Never waits for a FIFO's writer, never becomes anybody's terminal.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

int openat2_beneath(int base, const char* relative) {
  open_how how{};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, base, relative, &how, sizeof how));
}

// A kernel without openat2: component by component, no links at all.
int walk_beneath(int base, const std::string& relative) {
  OwnedFd folder(::fcntl(base, F_DUPFD_CLOEXEC, 0));
  size_t start = 0;
  while (folder.valid()) {
    const size_t slash = relative.find('/', start);
    const std::string name = relative.substr(start, slash - start);
    if (slash == std::string::npos) {
      return ::openat(folder.get(), name.empty() ? "." : name.c_str(), kOpenFlags | O_NOFOLLOW);
    }
    if (name == "..") {
      errno = EXDEV;
      return -1;
    }
    folder.reset(
        ::openat(folder.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    start = slash + 1;
  }
  return -1;
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

}  // namespace

OwnedFd open_beneath(const std::string& base, const std::string& relative) {
  OwnedFd folder(::open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return {};
  const char* name = relative.empty() ? "." : relative.c_str();
  OwnedFd file(openat2_beneath(folder.get(), name));
  if (file.valid()) return file;
  if (errno == ENOSYS) return OwnedFd(walk_beneath(folder.get(), relative));
  if (errno == EXDEV) {
    const std::string inside = resolved_beneath(base, relative);
    if (!inside.empty()) return OwnedFd(openat2_beneath(folder.get(), inside.c_str()));
    errno = EXDEV;
  }
  return {};
}

}  // namespace m2
