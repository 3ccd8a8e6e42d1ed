#include "master/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "master/file_safety.h"

namespace m2 {
namespace {

Status refuse(const std::string& what, const std::string& shown, int error, const Jail& jail) {
  std::string way_out;
  if (error == ENOENT)
    way_out = " (make the folder: mkdir -p " + shown.substr(0, shown.find_last_of('/')) + ")";
  if (error == ELOOP)
    way_out =
        " (it is a symbolic link, and not one to /dev/stdout or /dev/stderr; name the file itself)";
  if (error == EACCES && jail.drop) {
    way_out = " (uid " + std::to_string(jail.uid) + " must be able to write it: chown)";
  }
  return Status::error(what + " " + shown + ": " + std::strerror(error) + way_out);
}

// The descriptor that a value of access_log or error_log means, or the target of a link in its
// place: one of the two that were there at the start. -1: a file.
int stream_named(std::string_view path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  return path == "/dev/stderr" ? STDERR_FILENO : -1;
}

// Only the text of the link counts; nothing is opened by it.
int stream_linked(const std::string& path) {
  char target[16];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
  return size > 0 ? stream_named({target, static_cast<size_t>(size)}) : -1;
}

Result<OwnedFd> share_stream(int stream) {
  OwnedFd shared(::fcntl(stream, F_DUPFD_CLOEXEC, 3));
  if (!shared.valid()) return Status::from_errno("duplicate a standard stream", errno);
  return shared;
}

Result<OwnedFd> open_stream(const std::string& what, int stream, bool foreground) {
  if (foreground) return share_stream(stream);
  const std::string name = stream == STDOUT_FILENO ? "/dev/stdout" : "/dev/stderr";
  return Status::error(what + " " + name +
                       ": a server in the background has no such stream (name a file, or set "
                       "server.daemonize to 0)");
}

bool leads_nowhere(int stream) {
  struct stat end;
  return ::fstat(stream, &end) != 0 || (S_ISCHR(end.st_mode) && end.st_rdev == makedev(1, 3));
}

Result<OwnedFd> open_log(const std::string& what, const std::string& path, const Place& place,
                         bool foreground) {
  if (const int stream = stream_named(path); stream >= 0) {
    return open_stream(what, stream, foreground);
  }
  const std::string within = place.inside(path);
  const std::string shown = place.outside(within);
  const AsJailUser rights(place.jail);
  OwnedFd fd(::open(within.c_str(),
                    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                    0640));
  if (!fd.valid()) {
    const int error = errno;
    const int stream = error == ELOOP ? stream_linked(within) : -1;
    return stream >= 0 ? open_stream(what, stream, foreground)
                       : refuse(what, shown, error, place.jail);
  }
  struct stat file;
  if (::fstat(fd.get(), &file) != 0) return refuse(what, shown, errno, place.jail);
  if (!S_ISREG(file.st_mode)) return Status::error(what + " " + shown + ": is not a plain file");
  if (place.as_root && everybody_may_write(file)) {
    return Status::error(what + " " + shown + ": everybody may write to it (chmod o-w)");
  }
  return fd;
}

// In the foreground it is stderr, unless that was closed or is /dev/null: then nobody would ever
// see a line.
Result<OwnedFd> open_error_log(const Plan& plan, const Place& place, bool foreground) {
  const bool is_stderr = foreground && stream_named(plan.error_log) < 0;
  if (is_stderr && !leads_nowhere(STDERR_FILENO)) return share_stream(STDERR_FILENO);
  return open_log("error log", plan.error_log, place, foreground);
}

}  // namespace

Result<Logs> open_logs(const Plan& plan, const Place& place, bool foreground) {
  Logs logs;
  Result<OwnedFd> error = open_error_log(plan, place, foreground);
  if (!error.ok()) return std::move(error).status();
  logs.error = std::move(error).value();
  if (!plan.access_log.empty()) {
    Result<OwnedFd> access = open_log("access log", plan.access_log, place, foreground);
    if (!access.ok()) return std::move(access).status();
    logs.access = std::move(access).value();
  }
  return logs;
}

}  // namespace m2
