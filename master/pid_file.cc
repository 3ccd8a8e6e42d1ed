#include "master/pid_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "master/file_safety.h"
#include "master/privileges.h"

namespace m2 {
namespace {

constexpr int kAttempts = 5;

Status still_running(long pid, const std::string& shown) {
  return Status::error("Process " + std::to_string(pid) +
                       " is still running, shut it down first. (pid file " + shown + ")");
}

long read_pid(int fd) {
  char text[24];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  if (size <= 0) return 0;
  long pid = 0;
  const auto [end, error] = std::from_chars(text, text + size, pid);
  const bool clean = end == text + size || *end == '\n';
  return error == std::errc() && clean && pid > 0 ? pid : 0;
}

// A server that knows no lock. The name matters: pids are used again, above all after a reboot; and
// the state: a killed server stays as a zombie for as long as its parent does not care.
bool runs_without_lock(long pid, int original_root) {
  if (pid <= 0 || pid == ::getpid()) return false;
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM) return false;
  const std::string path = "proc/" + std::to_string(pid) + "/stat";
  const OwnedFd stat(::openat(original_root, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!stat.valid()) return errno != ENOENT;  // no /proc to ask: the careful answer
  char text[128];
  const ssize_t size = ::read(stat.get(), text, sizeof text);
  // "123 (mongrel2) S 1 ..."
  const std::string_view line(text, size > 0 ? static_cast<size_t>(size) : 0);
  const size_t name = line.find('('), end = line.rfind(')');
  if (name == line.npos || end == line.npos || end + 2 >= line.size()) return true;
  const char state = line[end + 2];
  return line.substr(name + 1).starts_with("mongrel2") && state != 'Z' && state != 'X';
}

// A lock of the POSIX kind: no child inherits it, and who holds it can be asked (F_GETLK).
struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Status open_refused(const std::string& shown, int error, const std::string& path) {
  std::string way_out;
  if (error == ELOOP) way_out = " (it is a symbolic link; remove it)";
  if (path.empty()) way_out = " (server.pid_file is empty)";
  return Status::error("pid file " + shown + ": " + std::strerror(error) + way_out);
}

// Root follows no link, since others may put them there. A kernel before 5.6 and a container that
// does not know the call look at the last name only.
OwnedFd open_folder_at(const std::string& path) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  if (::geteuid() != 0) return OwnedFd(::open(path.c_str(), kFlags));
  open_how how{};
  how.flags = kFlags;
  how.resolve = RESOLVE_NO_SYMLINKS;
  OwnedFd folder(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (folder.valid() || (errno != ENOSYS && errno != EPERM)) return folder;
  return OwnedFd(::open(path.c_str(), kFlags | O_NOFOLLOW));
}

Result<OwnedFd> open_folder(const std::string& path, const std::string& shown) {
  OwnedFd folder = open_folder_at(path);
  if (folder.valid()) return folder;
  const int error = errno;
  std::string way_out;
  if (error == ENOENT)
    way_out = " (make its folder: mkdir -p " + shown.substr(0, shown.find_last_of('/')) + ")";
  if (error == ELOOP || error == ENOTDIR)
    way_out = " (its folder is a symbolic link, which root does not follow, or a file)";
  return Status::error("pid file " + shown + ": " + std::strerror(error) + way_out);
}

// The serving user may rename other folders to this name, so root makes the file only where that
// user could make one himself.
Status check_folder(int folder, const std::string& shown, const Jail& jail) {
  const AsJailUser rights(jail);
  if (!jail.drop || ::faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) == 0) return {};
  return Status::error("pid file " + shown + ": its folder cannot be written by uid " +
                       std::to_string(jail.uid) + " (chown it)");
}

Status check_own_file(int fd, const std::string& shown, const Jail& jail) {
  struct stat opened {};
  if (::fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode) || opened.st_nlink > 1) {
    return Status::error("pid file " + shown + ": is not a file of its own (remove it)");
  }
  if (everybody_may_write(opened)) {
    return Status::error("pid file " + shown + ": everybody may write to it (remove it)");
  }
  if (!jail.drop) return {};
  if (opened.st_uid != 0 && opened.st_uid != jail.uid) {
    return Status::error("pid file " + shown + ": belongs to uid " + std::to_string(opened.st_uid) +
                         " (remove it)");
  }
  if (opened.st_size != 0 && read_pid(fd) == 0) {
    return Status::error("pid file " + shown +
                         ": there is something else than the number of a process in it (remove "
                         "it)");
  }
  return {};
}

// Of the lock for writing, which a master has: one for reading may be anybody's who may read the
// file. 0: nobody's.
pid_t holder_of(int fd) {
  struct flock lock = whole_file(F_RDLCK);
  if (::fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid > 0 ? lock.l_pid : -1;
}

}  // namespace

Status PidFile::open(const std::string& path, const std::string& shown) {
  const size_t slash = path.find_last_of('/');
  Result<OwnedFd> folder =
      open_folder(slash == std::string::npos ? "." : path.substr(0, slash), shown);
  if (!folder.ok()) return std::move(folder).status();
  folder_ = std::move(folder).value();
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  return {};
}

bool PidFile::is_named() const {
  struct stat opened {
  }, named{};
  return fd_.valid() && ::fstat(fd_.get(), &opened) == 0 &&
         ::fstatat(folder_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         same_file(opened, named);
}

// A lock for reading that a stranger has on the file of a dead master stands in the way of ours, so
// another file takes its place.
Status PidFile::lock_or_replace(const std::string& shown) {
  struct flock lock = whole_file(F_WRLCK);
  if (::fcntl(fd_.get(), F_SETLK, &lock) == 0) return {};
  if (errno != EAGAIN && errno != EACCES) {
    return Status::from_errno("pid file " + shown + ": cannot be locked", errno);
  }
  if (const pid_t holder = holder_of(fd_.get()); holder != 0) {
    return still_running(holder > 0 ? holder : read_pid(fd_.get()), shown);
  }
  if (is_named() && ::unlinkat(folder_.get(), name_.c_str(), 0) == 0) {
    stale_pid_ = read_pid(fd_.get());
  }
  return {};
}

Result<PidFile> PidFile::take(const std::string& path, const std::string& shown, const Jail& jail,
                              int original_root, pid_t predecessor) {
  PidFile file;
  if (Status there = file.open(path, shown); !there.ok()) return there;
  if (Status his = check_folder(file.folder_.get(), shown, jail); !his.ok()) return his;
  struct stat opened {};
  // The previous owner may unlink the file between our open and our lock: then once more.
  for (int attempt = 0; attempt < kAttempts && !file.is_named(); ++attempt) {
    file.fd_.reset(::openat(file.folder_.get(), file.name_.c_str(),
                            O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
    const int fd = file.fd_.get();
    if (fd < 0) return open_refused(shown, errno, path);
    Status refused = check_own_file(fd, shown, jail);
    if (refused.ok()) refused = file.lock_or_replace(shown);
    if (refused.ok()) continue;
    file.let_go();  // it is somebody else's
    return refused;
  }
  if (!file.is_named()) return Status::error("pid file " + shown + ": is being replaced by others");

  long before = read_pid(file.fd_.get());
  if (before == 0) before = file.stale_pid_;
  if (before == predecessor) before = ::getpid();
  if (runs_without_lock(before, original_root)) {
    file.let_go();
    return still_running(before, shown);
  }
  file.stale_pid_ = before != ::getpid() ? before : 0;
  // At once unless the old number is the longer one: whoever reads meanwhile finds one of them, and
  // not an empty file.
  const std::string text = std::to_string(::getpid());
  const auto size = static_cast<ssize_t>(text.size());
  const bool covers = ::fstat(file.fd_.get(), &opened) == 0 && opened.st_size <= size;
  if ((!covers && ::ftruncate(file.fd_.get(), 0) != 0) ||
      ::pwrite(file.fd_.get(), text.data(), text.size(), 0) != size) {
    return Status::from_errno("pid file " + shown, errno);
  }
  return file;
}

void PidFile::remove() {
  if (is_named()) ::unlinkat(folder_.get(), name_.c_str(), 0);
  fd_.reset();
}

}  // namespace m2
