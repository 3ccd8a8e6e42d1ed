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
#include <set>

#include "common/check.h"
#include "common/landlock.h"
#include "master/file_safety.h"

namespace m2 {
namespace {

Status refuse(const std::string& folder, const std::string& what) {
  return Status::error("server.chroot " + folder + ": " + what);
}

// Who the children become: the owner of the folder.
Status choose_jail(const Plan& plan, const Author& author, const struct stat& folder,
                   Place& place) {
  if (author.bounded && folder.st_uid != author.uid) {
    return refuse(place.folder,
                  "belongs to uid " + std::to_string(folder.st_uid) + way_out(author));
  }
  if (author.bounded && !author.has_group(folder.st_gid)) {
    return refuse(place.folder, "its group, " + std::to_string(folder.st_gid) +
                                    ", is none of uid " + std::to_string(author.uid) +
                                    " (chgrp it)" + way_out(author));
  }
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

// Who can put another folder in this one's place would have root serve as that one's owner.
Status check_way(const Place& place, const struct stat& folder) {
  for (const uid_t uid : owners_above(place.folder)) {
    if (uid == folder.st_uid) continue;
    return refuse(place.folder, "belongs to uid " + std::to_string(folder.st_uid) + ", and uid " +
                                    std::to_string(uid) +
                                    ", who owns a folder above it or a link on the way, can put "
                                    "that of anybody in its place (give both to one of them, or "
                                    "what is above to root)");
  }
  return {};
}

// Root makes the pid file, wherever the author says.
Status check_run_directory(const Plan& plan, const Author& author, const Place& place) {
  if (!author.bounded) return {};
  const std::string folder = run_directory(plan);
  const AsJailUser rights(place.jail);
  if (::faccessat(place.directory.get(), folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
  return refuse(place.folder, folder +
                                  "/ in it, where the pid file is made, cannot be written by uid " +
                                  std::to_string(author.uid) + " (" + std::strerror(errno) + ")" +
                                  way_out(author));
}

// Where everybody may write, everybody decides what is served, or what is in the logs, or which
// process m2sh stops. That is refused as root, and warned of otherwise.
Status check_writers(const Plan& plan, Place& place) {
  const auto in_folder = [&plan](const std::string& file) {
    const std::string path = inside(plan, file);
    const size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
  };
  std::vector<std::string> faults;
  std::set<std::string> folders = {".", in_folder(plan.pid_file), in_folder(plan.error_log),
                                   in_folder(plan.access_log)};
  for (const std::string& name : folders) {
    struct stat facts;
    const bool there =
        ::fstatat(place.directory.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there || !S_ISDIR(facts.st_mode) || !everybody_may_write(facts)) continue;
    faults.push_back((name == "." ? "" : name + "/ in it: ") +
                     "everybody may write to it (chmod o-w)");
  }
  if (const std::string open = open_folder_above(place.folder); !open.empty()) {
    faults.push_back(
        "everybody may put another folder in its place, because everybody may write "
        "to " +
        open + " (chmod o-w that)");
  }
  for (const std::string& fault : faults) {
    if (place.as_root) return refuse(place.folder, fault);
    place.warnings.push_back("server.chroot " + place.folder + ": " + fault);
  }
  return {};
}

// Opened with the rights of who names it, so that it is none which he could not enter himself.
OwnedFd open_folder(const std::string& path, const Author& author) {
  Jail jail;
  if (author.bounded) jail = Jail{true, author.uid, author.groups.front()};
  const AsJailUser rights(jail);
  return OwnedFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

Result<Place> inspect_place(const Plan& plan, const Author& author) {
  Place place;
  place.as_root = ::geteuid() == 0;
  place.bounded = author.bounded;
  place.no_folder = plan.chroot.empty();
  place.jail.landlock = plan.landlock;
  place.jail.seccomp = plan.seccomp;
  if (!place.as_root) place.jail.upload_folder = plan.upload_folder;
  if (plan.chroot.empty() && place.as_root) {
    return refuse("''", "is empty; name the folder of the server");
  }
  place.folder = plan.chroot.empty() ? std::string(1, '.') : plan.chroot;
  while (place.folder.size() > 1 && place.folder.ends_with('/')) place.folder.pop_back();
  // With the rights of a file's owner only, not those of root's groups (AsJailUser).
  if (place.as_root && ::setgroups(0, nullptr) != 0) return Status::from_errno("setgroups", errno);
  place.directory = open_folder(place.folder, author);
  if (!place.directory.valid()) {
    const std::string why = std::strerror(errno);
    return refuse(place.folder, errno == ENOENT ? why + " (make it: mkdir -p " + place.folder +
                                                      "/run " + place.folder + "/logs)"
                                                : why);
  }
  struct stat folder;
  if (::fstat(place.directory.get(), &folder) != 0)
    return refuse(place.folder, std::strerror(errno));
  if (Status safe = check_writers(plan, place); !safe.ok()) return safe;
  if (!place.as_root) return place;
  if (Status chosen = choose_jail(plan, author, folder, place); !chosen.ok()) return chosen;
  if (Status way = check_way(place, folder); !way.ok()) return way;
  if (Status own = check_run_directory(plan, author, place); !own.ok()) return own;
  if ((folder.st_mode & S_IWGRP) != 0) {
    place.warnings.push_back("server.chroot " + place.folder +
                             ": others than its owner may write to it (chmod g-w)");
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
  return {};
}

Status check_author(const Place& place, const Author& author) {
  if (!author.bounded || (place.jail.drop && place.jail.uid == author.uid)) return {};
  return Status::error("this server does not run as uid " + std::to_string(author.uid) +
                       way_out(author));
}

std::string Place::inside(const std::string& path) const {
  if (no_folder) return path;
  const size_t begin = path.find_first_not_of('/');
  return begin == std::string::npos ? std::string() : path.substr(begin);
}

std::string inside(const Plan& plan, const std::string& path) {
  Place place;
  place.no_folder = plan.chroot.empty();
  return place.inside(path);
}

std::string run_directory(const Plan& plan) {
  const std::string path = inside(plan, plan.pid_file);
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

uint64_t raise_file_limit(uint64_t wanted, bool beyond_hard_limit) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlimit raised{wanted, std::max<rlim_t>(limit.rlim_max, wanted)};
  if (beyond_hard_limit && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace m2
