#include "master/file_safety.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/owned_fd.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr int kLinksMax = 40;  // as many as the kernel follows

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

std::set<uid_t> owners_above(const std::string& path) {
  constexpr int kStep = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  std::set<uid_t> owners;
  std::string rest = path;
  OwnedFd here;
  for (int links = 0; links <= kLinksMax;) {
    if (!here.valid() || rest.starts_with('/')) {
      here.reset(::open(rest.starts_with('/') ? "/" : ".", kStep));
    }
    const size_t begin = rest.find_first_not_of('/');
    if (begin == rest.npos || !here.valid()) break;
    const size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string name = rest.substr(begin, end - begin);
    rest.erase(0, std::min(rest.find_first_not_of('/', end), rest.size()));
    struct stat folder, entry;
    OwnedFd next(::openat(here.get(), name.c_str(), kStep));
    if (::fstat(here.get(), &folder) != 0 || !next.valid() || ::fstat(next.get(), &entry) != 0)
      break;
    if (name != "." && name != "..") owners.insert(folder.st_uid);
    if (!S_ISLNK(entry.st_mode)) {
      here = std::move(next);
      continue;
    }
    owners.insert(entry.st_uid);
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(next.get(), "", target, sizeof target);
    if (size <= 0) break;
    rest = std::string(target, static_cast<size_t>(size)) + '/' + rest;
    ++links;
  }
  owners.erase(0);
  return owners;
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
