#include "master/verdict_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/log.h"
#include "common/owned_fd.h"
#include "master/privileges.h"

namespace m2 {

void VerdictFile::write(bool ok, const std::string& text) {
  const std::string line = std::to_string(++count_) + (ok ? " ok " : " refused ") + text + "\n";
  const std::string fresh = path_ + ".new";
  const AsJailUser rights(jail_);
  ::unlink(fresh.c_str());  // of a master that was killed within this function
  const OwnedFd fd(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  const bool written = fd.valid() && ::write(fd.get(), line.data(), line.size()) ==
                                         static_cast<ssize_t>(line.size());
  if (!written || ::rename(fresh.c_str(), path_.c_str()) != 0) {
    log_warn(path_ + ": the verdict for m2sh reload is not written: " + std::strerror(errno));
  }
}

void VerdictFile::remove() {
  const AsJailUser rights(jail_);
  ::unlink(path_.c_str());
}

std::string verdict_path(std::string pid_path) {
  constexpr std::string_view kPid = ".pid";
  if (pid_path.ends_with(kPid)) pid_path.resize(pid_path.size() - kPid.size());
  return pid_path + ".verdict";
}

}  // namespace m2
