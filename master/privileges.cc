#include "master/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/check.h"
#include "common/landlock.h"

namespace m2 {
namespace {

Status refuse(const std::string& folder, const std::string& what) {
  return Status::error("server.chroot " + folder + ": " + what);
}

// Who the children become: the owner of the folder.
Status choose_jail(const Plan& plan, const struct stat& folder, Place& place) {
  if (folder.st_uid == 0) {
    if (!plan.allow_root) {
      return refuse(place.folder,
                    "belongs to root, so the workers would run as root (chown it to the user that "
                    "shall run them, or set allow_root to 1)");
    }
    place.warnings.push_back("every process runs as root, as the setting allow_root asks");
    return {};
  }
  place.jail.drop = true;
  place.jail.uid = folder.st_uid;
  place.jail.gid = folder.st_gid;
  if (folder.st_gid == 0) {
    place.warnings.push_back("server.chroot " + place.folder +
                             ": its group is root, and so will be that of the workers (chgrp it)");
  }
  return {};
}

}  // namespace

Result<Place> inspect_place(const Plan& plan) {
  Place place;
  place.as_root = ::geteuid() == 0;
  place.jail.landlock = plan.landlock;
  place.jail.seccomp = plan.seccomp;
  if (!place.as_root) place.jail.upload_folder = plan.upload_folder;
  if (plan.chroot.empty() && place.as_root) {
    return refuse("''", "is empty; name the folder of the server");
  }
  place.folder = plan.chroot.empty() ? std::string(1, '.') : plan.chroot;
  while (place.folder.size() > 1 && place.folder.ends_with('/')) place.folder.pop_back();
  place.directory.reset(::open(place.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.directory.valid()) {
    const std::string why = std::strerror(errno);
    return refuse(place.folder, errno == ENOENT ? why + " (make it: mkdir -p " + place.folder +
                                                      "/run " + place.folder + "/logs)"
                                                : why);
  }
  struct stat folder;
  if (::fstat(place.directory.get(), &folder) != 0)
    return refuse(place.folder, std::strerror(errno));
  if (!place.as_root) return place;
  if (Status chosen = choose_jail(plan, folder, place); !chosen.ok()) return chosen;
  if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    place.warnings.push_back("server.chroot " + place.folder +
                             ": others than its owner may write to it (chmod go-w)");
  }
  return place;
}

// The current folder is the server's. As root it is all there is, and every path is inside.
Status check_reachable(const Jail& jail, const Plan& plan) {
  const bool bounded = !jail.drop && ::geteuid() != 0 && jail.landlock && landlock_version() != 0;
  if (!bounded || plan.upload_folder.empty() || plan.upload_folder == jail.upload_folder) return {};
  std::error_code failed;
  const auto place = std::filesystem::canonical(".", failed);
  const auto folder = std::filesystem::canonical(plan.upload_folder, failed);
  const auto [end, rest] = std::mismatch(place.begin(), place.end(), folder.begin(), folder.end());
  if (!failed && end == place.end()) return {};
  return Status::error("upload.temp_store in " + plan.upload_folder +
                       ": is outside of the server's folder, and new there; workers that run "
                       "cannot be let out of it, so this takes a restart");
}

Status enter_place(const Place& place) {
  if (::fchdir(place.directory.get()) != 0) {
    return refuse(place.folder, std::string("cannot be entered: ") + std::strerror(errno));
  }
  if (!place.as_root) return {};
  if (::chroot(".") != 0) {
    return refuse(place.folder, std::string("cannot chroot: ") + std::strerror(errno) +
                                    " (this root lacks CAP_SYS_CHROOT; start as another user)");
  }
  if (::chdir("/") != 0) return refuse(place.folder, std::strerror(errno));
  // With the rights of a file's owner only, not those of root's groups (AsJailUser).
  if (::setgroups(0, nullptr) != 0) return Status::from_errno("setgroups", errno);
  return {};
}

std::string inside(const std::string& path) {
  const size_t begin = path.find_first_not_of('/');
  return begin == std::string::npos ? std::string() : path.substr(begin);
}

std::string run_directory(const Plan& plan) {
  const std::string path = inside(plan.pid_file);
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}

// setfsuid changes one thread's rights to files and nothing else, and takes root's overriding
// capabilities away with it; it reports no error, hence the second call that only asks.
AsJailUser::AsJailUser(const Jail& jail) : active_(jail.drop) {
  if (!active_) return;
  ::setfsgid(jail.gid);
  ::setfsuid(jail.uid);
  CHECK(static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) == jail.uid);
  CHECK(static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) == jail.gid);
}

AsJailUser::~AsJailUser() {
  if (!active_) return;
  const int saved = errno;
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  errno = saved;
}

uint64_t raise_file_limit(uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlimit raised{wanted, std::max<rlim_t>(limit.rlim_max, wanted)};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace m2
