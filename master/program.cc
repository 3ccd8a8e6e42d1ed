#include "master/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace m2 {

Program Program::remember(int argc, const char* const* argv) {
  constexpr const char* kSelf = "/proc/self/exe";
  Program program;
  program.arguments_.assign(argv, argv + argc);
  struct stat self {
  }, typed{};
  if (::stat(kSelf, &self) != 0) return program;  // no /proc: path() stays empty
  program.owner_ = self.st_uid;
  const std::string name = argc > 0 ? argv[0] : "";
  if (name.find('/') != name.npos && ::stat(name.c_str(), &typed) == 0 &&
      typed.st_dev == self.st_dev && typed.st_ino == self.st_ino) {
    program.path_ = name;
    return program;
  }
  std::array<char, 4096> path;
  const ssize_t size = ::readlink(kSelf, path.data(), path.size());
  if (size > 0) program.path_.assign(path.data(), static_cast<size_t>(size));
  // It was replaced since it was started.
  constexpr std::string_view kDeleted = " (deleted)";
  if (program.path_.ends_with(kDeleted)) {
    program.path_.resize(program.path_.size() - kDeleted.size());
  }
  return program;
}

Status Program::check(bool as_root) const {
  if (path_.empty()) {
    return Status::error("there is no /proc that tells where the program is; restart the server");
  }
  struct stat file;
  if (::stat(path_.c_str(), &file) != 0) {
    return Status::error(path_ + ": " + std::strerror(errno) +
                         " (install the program where it was when the server was started)");
  }
  if (!S_ISREG(file.st_mode) || ::access(path_.c_str(), X_OK) != 0) {
    return Status::error(path_ + ": is no file that can be executed (chmod 755 it)");
  }
  if (as_root && file.st_uid != 0 && file.st_uid != owner_) {
    return Status::error(path_ + ": belongs to uid " + std::to_string(file.st_uid) +
                         ", and root would run it (chown root it)");
  }
  if (as_root && (file.st_mode & 022) != 0) {
    return Status::error(path_ + ": others may write to it, and root would run it (chmod 755 it)");
  }
  return {};
}

Status Program::execute() const {
  std::vector<char*> words;
  for (const std::string& word : arguments_) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(path_.c_str(), words.data());
  return Status::error("cannot execute " + path_ + ": " + std::strerror(errno));
}

}  // namespace m2
