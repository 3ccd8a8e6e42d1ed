#include "master/file_safety.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "common/owned_fd.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

// The kernel walks like a process in a chroot: absolute links and ".." stay below root.
OwnedFd open_in_root(const std::string& root, const std::string& path) {
  const OwnedFd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  return OwnedFd(
      static_cast<int>(::syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof how)));
}

fs::path without_slash(fs::path path) {
  return path.has_filename() || !path.has_parent_path() ? path : path.parent_path();
}

}  // namespace

std::string open_folder_above(const std::string& path) {
  std::error_code failed;
  fs::path place = without_slash(fs::canonical(path, failed));
  while (!failed && place.has_relative_path()) {
    place = place.parent_path();
    struct stat facts;
    if (::stat(place.c_str(), &facts) != 0) break;
    if (everybody_may_write(facts) && (facts.st_mode & S_ISVTX) == 0) return place.string();
  }
  return {};
}

std::string real_name(const std::string& root, const std::string& path) {
  std::error_code failed;
  if (!root.empty()) {
    if (const OwnedFd found = open_in_root(root, path); found.valid()) {
      const fs::path name =
          fs::read_symlink("/proc/self/fd/" + std::to_string(found.get()), failed);
      if (!failed) return without_slash(name).string();
    }
    // The folder may be there, and the file not yet.
    const size_t slash = path.find_last_of('/', path.find_last_not_of('/'));
    if (slash != std::string::npos && slash != 0) {
      const fs::path folder(real_name(root, path.substr(0, slash)));
      return without_slash(folder / path.substr(slash + 1)).string();
    }
  }
  const std::string whole = root.empty() ? path : root + "/" + path;
  const fs::path name = fs::weakly_canonical(whole, failed);
  if (!failed && name.is_absolute()) return without_slash(name).string();
  return without_slash(fs::absolute(whole, failed).lexically_normal()).string();
}

bool is_inside(const std::string& path, const std::string& folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace m2
