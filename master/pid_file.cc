#include "master/pid_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "master/file_safety.h"

namespace m2 {
namespace {

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
  if (error == ENOENT)
    way_out = " (make its folder: mkdir -p " + shown.substr(0, shown.find_last_of('/')) + ")";
  if (error == ELOOP) way_out = " (it is a symbolic link; remove it)";
  if (path.empty()) way_out = " (server.pid_file is empty)";
  return Status::error("pid file " + shown + ": " + std::strerror(error) + way_out);
}

}  // namespace

Result<PidFile> PidFile::take(const std::string& path, const std::string& shown, int original_root,
                              pid_t predecessor) {
  PidFile file;
  file.path_ = path;
  struct stat opened {
  }, named{};
  // The previous owner may unlink the file between our open and our lock: then once more.
  for (int attempt = 0; attempt < 5 && !file.fd_.valid(); ++attempt) {
    OwnedFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
    if (!fd.valid()) return open_refused(shown, errno, path);
    if (::fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode) || opened.st_nlink > 1) {
      return Status::error("pid file " + shown + ": is not a file of its own (remove it)");
    }
    if (everybody_may_write(opened)) {
      return Status::error("pid file " + shown + ": everybody may write to it (remove it)");
    }
    struct flock lock = whole_file(F_WRLCK);
    if (::fcntl(fd.get(), F_SETLK, &lock) != 0) {
      ::fcntl(fd.get(), F_GETLK, &lock);
      return still_running(
          lock.l_type != F_UNLCK && lock.l_pid > 0 ? lock.l_pid : read_pid(fd.get()), shown);
    }
    if (::stat(path.c_str(), &named) == 0 && same_file(opened, named)) file.fd_ = std::move(fd);
  }
  if (!file.fd_.valid())
    return Status::error("pid file " + shown + ": is being replaced by others");

  long before = read_pid(file.fd_.get());
  if (before == predecessor) before = ::getpid();
  if (runs_without_lock(before, original_root)) return still_running(before, shown);
  if (before != ::getpid()) file.stale_pid_ = before;
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
  struct stat opened {
  }, named{};
  const bool ours = fd_.valid() && ::fstat(fd_.get(), &opened) == 0 &&
                    ::lstat(path_.c_str(), &named) == 0 && same_file(opened, named);
  if (ours) ::unlink(path_.c_str());
  fd_.reset();
}

}  // namespace m2
