#include "master/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/owned_fd.h"

namespace m2 {

Status replace_file(const std::string& path, std::string_view text, const Jail& jail) {
  const std::string fresh = path + ".new";
  const AsJailUser rights(jail);
  ::unlink(fresh.c_str());  // of a master that was killed within this function
  const OwnedFd fd(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  const bool written = fd.valid() && ::write(fd.get(), text.data(), text.size()) ==
                                         static_cast<ssize_t>(text.size());
  if (written && ::rename(fresh.c_str(), path.c_str()) == 0) return {};
  Status failed = Status::from_errno(path, errno);
  if (fd.valid()) ::unlink(fresh.c_str());  // a full disk leaves no half of it
  return failed;
}

std::string beside_pid_file(std::string pid_path, std::string_view ending) {
  constexpr std::string_view kPid = ".pid";
  if (pid_path.ends_with(kPid)) pid_path.resize(pid_path.size() - kPid.size());
  return pid_path.append(ending);
}

}  // namespace m2
