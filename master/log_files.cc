#include "master/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "master/file_safety.h"

namespace m2 {
namespace {

Status refuse(const std::string& what, const std::string& shown, int error, const Jail& jail) {
  std::string way_out;
  if (error == ENOENT)
    way_out = " (make the folder: mkdir -p " + shown.substr(0, shown.find_last_of('/')) + ")";
  if (error == ELOOP) way_out = " (it is a symbolic link; name the file itself)";
  if (error == EACCES && jail.drop) {
    way_out = " (uid " + std::to_string(jail.uid) + " must be able to write it: chown)";
  }
  return Status::error(what + " " + shown + ": " + std::strerror(error) + way_out);
}

Result<OwnedFd> open_log(const std::string& what, const std::string& path, const Place& place) {
  const std::string within = place.inside(path);
  const std::string shown = place.outside(within);
  const AsJailUser rights(place.jail);
  OwnedFd fd(::open(within.c_str(),
                    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                    0640));
  if (!fd.valid()) return refuse(what, shown, errno, place.jail);
  struct stat file;
  if (::fstat(fd.get(), &file) != 0) return refuse(what, shown, errno, place.jail);
  if (!S_ISREG(file.st_mode)) return Status::error(what + " " + shown + ": is not a plain file");
  if (place.as_root && everybody_may_write(file)) {
    return Status::error(what + " " + shown + ": everybody may write to it (chmod o-w)");
  }
  return fd;
}

// A pipe of a log collector that does not read must not stop the server: opened anew it can be
// non-blocking without changing what the starter has. Lines it does not take are counted as lost.
Result<OwnedFd> standard_error() {
  struct stat target;
  if (::fstat(STDERR_FILENO, &target) == 0 && S_ISFIFO(target.st_mode)) {
    OwnedFd own(::open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC));
    if (own.valid()) return own;
  }
  OwnedFd shared(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!shared.valid()) return Status::from_errno("duplicate stderr", errno);
  return shared;
}

}  // namespace

Result<Logs> open_logs(const Plan& plan, const Place& place, bool foreground) {
  Logs logs;
  Result<OwnedFd> error =
      foreground ? standard_error() : open_log("error log", plan.error_log, place);
  if (!error.ok()) return std::move(error).status();
  logs.error = std::move(error).value();
  if (!plan.access_log.empty()) {
    Result<OwnedFd> access = open_log("access log", plan.access_log, place);
    if (!access.ok()) return std::move(access).status();
    logs.access = std::move(access).value();
  }
  return logs;
}

}  // namespace m2
