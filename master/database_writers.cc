#include "master/database_writers.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <string_view>
#include <vector>

namespace m2 {
namespace {

constexpr int kLinksMax = 40;
constexpr uid_t kNobody = 65534;

// "uid 1000 (zed)"
std::string name_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return "uid " + std::to_string(uid) +
         (entry == nullptr ? "" : " (" + std::string(entry->pw_name) + ")");
}

std::string name_of_group(gid_t gid) {
  const group* entry = ::getgrgid(gid);
  return entry == nullptr ? std::to_string(gid) : std::string(entry->gr_name);
}

// As the system's name services list them.
std::vector<uid_t> members_of(gid_t gid) {
  std::vector<uid_t> members;
  std::vector<std::string> names;
  if (const group* entry = ::getgrgid(gid)) {
    for (char** name = entry->gr_mem; *name != nullptr; ++name) names.emplace_back(*name);
  }
  for (const std::string& name : names) {
    if (const passwd* entry = ::getpwnam(name.c_str())) members.push_back(entry->pw_uid);
  }
  ::setpwent();
  while (const passwd* entry = ::getpwent()) {
    if (entry->pw_gid == gid) members.push_back(entry->pw_uid);
  }
  ::endpwent();
  return members;
}

// Nobody can be said to be in a group for a number without a name, but in that of the same number.
std::vector<gid_t> groups_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  if (entry == nullptr) return {::getgrgid(uid) == nullptr ? uid : kNobody};
  const std::string name = entry->pw_name;
  const gid_t own = entry->pw_gid;
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  while (::getgrouplist(name.c_str(), own, groups.data(), &count) < 0) {
    groups.resize(static_cast<size_t>(count));
  }
  groups.resize(static_cast<size_t>(count));
  std::erase(groups, own);
  groups.insert(groups.begin(), own);
  return groups;
}

uint32_t first_free_port() {
  std::ifstream file("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  uint32_t port = 1024;
  return file >> port ? port : 1024;
}

// One that a name leads to, without following a link.
struct Found {
  OwnedFd fd;  // O_PATH
  struct stat facts {};

  explicit operator bool() const { return fd.valid(); }
};

Found find(int folder, const char* name) {
  Found found{OwnedFd(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)), {}};
  if (found && ::fstat(found.fd.get(), &found.facts) != 0) found.fd.reset();
  return found;
}

bool same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// The users found, each with what he was found for first.
class Writers {
 public:
  explicit Writers(std::string database) : database_(std::move(database)) {}

  // Who may change the names in a folder: of what is there, or (making) of what is not.
  void add_folder(const Found& folder, const std::string& path, const Found* entry,
                  const std::string& entry_path) {
    add(folder.facts.st_uid, "who owns " + path);
    if (entry != nullptr && (folder.facts.st_mode & S_ISVTX) != 0) {
      return add(entry->facts.st_uid, "who owns " + entry_path);
    }
    if ((folder.facts.st_mode & S_IWOTH) != 0) {
      return refuse("everybody may put another file in its place, because everybody may write to " +
                    path + "; chmod o-w that, or move the database");
    }
    add_group(folder, path);
  }

  void add_file(const Found& file, const std::string& path) {
    add(file.facts.st_uid, "who owns " + path);
    if ((file.facts.st_mode & S_IWOTH) != 0) {
      return refuse("everybody may write to it, and so decide what the server does; chmod o-w " +
                    (path == database_ ? "it" : path));
    }
    add_group(file, path);
  }

  void refuse(std::string why) {
    if (refusal_.empty()) refusal_ = std::move(why);
  }

  Result<Author> author() const {
    const std::string place = "database " + database_ + ": ";
    if (!refusal_.empty()) return Status::error(place + refusal_);
    if (users_.empty()) return Author{};
    if (users_.size() == 1) {
      const auto& [uid, reason] = *users_.begin();
      return Author{true, uid, groups_of(uid), first_free_port(), name_of(uid) + ", " + reason};
    }
    std::string list;
    for (const auto& [uid, reason] : users_) {
      list += (list.empty() ? "" : "; ") + name_of(uid) + ", " + reason;
    }
    return Status::error(place + "more than one user beside root can change it (" + list +
                         "), and root's server obeys one at most; give the database to root (chown "
                         "root) in a folder that, with all above it, only root may write to");
  }

 private:
  void add(uid_t uid, const std::string& reason) {
    if (uid != 0) users_.try_emplace(uid, reason);
  }

  void add_members(gid_t gid, const std::string& path) {
    for (const uid_t uid : members_of(gid)) {
      add(uid, "who is in group " + name_of_group(gid) + ", which may write to " + path);
    }
  }

  // With an access list the mode's bits for the group are the most that anybody in it has.
  void add_group(const Found& found, const std::string& path) {
    if ((found.facts.st_mode & S_IWGRP) == 0) return;
    struct Entry {
      uint16_t tag, permissions;
      uint32_t id;
    };
    constexpr size_t kHeadBytes = 4, kEntriesMax = 1024;
    constexpr uint16_t kWrite = 2, kUser = 0x02, kOwningGroup = 0x04, kGroup = 0x08;
    std::vector<char> list(kHeadBytes + kEntriesMax * sizeof(Entry));
    const std::string name = "/proc/self/fd/" + std::to_string(found.fd.get());
    const ssize_t size =
        ::getxattr(name.c_str(), "system.posix_acl_access", list.data(), list.size());
    if (size < 0 && errno != ENODATA && errno != ENOTSUP) {
      return refuse("who may write to " + path + " cannot be known (" + std::strerror(errno) + ")");
    }
    if (size < 0) return add_members(found.facts.st_gid, path);
    for (size_t at = kHeadBytes; at + sizeof(Entry) <= static_cast<size_t>(size);
         at += sizeof(Entry)) {
      Entry entry;
      std::memcpy(&entry, list.data() + at, sizeof entry);
      if ((entry.permissions & kWrite) == 0) continue;
      if (entry.tag == kUser) add(entry.id, "whom the access list of " + path + " lets write");
      if (entry.tag == kGroup) add_members(entry.id, path);
      if (entry.tag == kOwningGroup) add_members(found.facts.st_gid, path);
    }
  }

  const std::string database_;
  std::map<uid_t, std::string> users_;
  std::string refusal_;
};

// A walk from folder to folder as the kernel does it, but looking at each.
class Walk {
 public:
  Walk(Writers& writers, std::string path) : writers_(writers), rest_(std::move(path)) {}

  void go() {
    if (rest_.starts_with('/')) {
      restart();
    } else {
      begin_here();
    }
    while (folder_ && step()) {
    }
    if (!folder_) unknown(path_);
  }

 private:
  void restart() {
    folder_ = find(AT_FDCWD, "/");
    path_.clear();
  }

  // The folders above the current one decide too: by them it was named.
  void begin_here() {
    char name[PATH_MAX];
    path_ = ::getcwd(name, sizeof name) == nullptr || name[0] != '/' ? "." : name;
    if (path_ == "/") path_.clear();
    folder_ = find(AT_FDCWD, ".");
    if (!folder_) return;
    Found entry = find(folder_.fd.get(), ".");
    for (std::string path = path_; entry;) {
      Found above = find(entry.fd.get(), "..");
      if (!above) return unknown(path + "/..");
      if (same(above.facts, entry.facts)) return;
      const std::string below = path;
      path.resize(std::min(path.size(), path.rfind('/')));
      writers_.add_folder(above, path.empty() ? "/" : path, &entry, below);
      entry = std::move(above);
    }
  }

  // False: at the end, or at something that is not there, of which the reading says more.
  bool step() {
    const size_t begin = rest_.find_first_not_of('/');
    if (begin == rest_.npos) return false;
    const size_t end = std::min(rest_.find('/', begin), rest_.size());
    const std::string name = rest_.substr(begin, end - begin);
    rest_.erase(0, end);
    if (name == ".") return true;
    Found entry = find(folder_.fd.get(), name.c_str());
    const std::string shown = path_.empty() ? "/" : path_;
    if (name == "..") {
      path_.resize(path_.empty() ? 0 : std::min(path_.size(), path_.rfind('/')));
      folder_ = std::move(entry);
      return true;
    }
    if (!entry && errno == ENOENT) {
      writers_.add_folder(folder_, shown, nullptr, {});
      return false;
    }
    if (!entry) {
      unknown(path_ + '/' + name);
      return false;
    }
    writers_.add_folder(folder_, shown, &entry, path_ + '/' + name);
    if (S_ISLNK(entry.facts.st_mode)) return follow(entry);
    path_ += '/' + name;
    if (S_ISDIR(entry.facts.st_mode)) {
      folder_ = std::move(entry);
      return true;
    }
    arrive(entry, name, shown);
    return false;
  }

  void unknown(const std::string& path) {
    writers_.refuse("who may write to " + path + " cannot be known (" + std::strerror(errno) + ")");
  }

  bool follow(const Found& link) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(link.fd.get(), "", target, sizeof target);
    if (size <= 0 || ++links_ > kLinksMax) {
      writers_.refuse("the links on the way to it lead nowhere");
      return false;
    }
    rest_ = std::string(target, static_cast<size_t>(size)) + rest_;
    if (rest_.front() == '/') restart();
    return true;
  }

  // Whoever may make a file beside the database makes SQLite's journal, of which it takes changes.
  void arrive(const Found& file, const std::string& name, const std::string& folder) {
    writers_.add_file(file, path_);
    writers_.add_folder(folder_, folder, nullptr, {});
    for (const char* ending : {"-journal", "-wal", "-shm"}) {
      const Found beside = find(folder_.fd.get(), (name + ending).c_str());
      if (!beside) continue;
      if (!S_ISREG(beside.facts.st_mode)) {
        writers_.refuse(path_ + ending + " beside it is not a plain file; remove it");
      }
      writers_.add_file(beside, path_ + ending);
    }
  }

  Writers& writers_;
  std::string rest_;
  std::string path_;  // of folder_; "": /
  Found folder_;
  int links_ = 0;
};

}  // namespace

Result<Author> author_of_database(const std::string& path) {
  Writers writers(path);
  Walk(writers, path).go();
  return writers.author();
}

}  // namespace m2
