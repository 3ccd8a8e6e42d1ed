// A lock alone would not do: a file that is done has none either. The bit alone would not do: the
// files of the workers next door have it too. On a file system without locks (flock(2)) nothing is
// swept.
#include "worker/disk/temp_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "common/descriptor_budget.h"

namespace m2 {
namespace {

constexpr mode_t kHalfDone = S_ISVTX;  // has no meaning of its own on a plain file
constexpr int kTriesMax = 100;
constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

int write_random_end(std::string& path) {
  std::array<unsigned char, kTemplateEnd.size()> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return errno;
  }
  const size_t start = path.size() - random.size();
  for (size_t i = 0; i < random.size(); ++i)
    path[start + i] = kLetters[random[i] % kLetters.size()];
  return 0;
}

// Of the file that path names, which another process may just have removed as nobody's.
bool is_still_there(int file) {
  struct stat facts;
  return ::fstat(file, &facts) == 0 && facts.st_nlink > 0;
}

bool is_half_done(const struct stat& facts) {
  return S_ISREG(facts.st_mode) && (facts.st_mode & kHalfDone) != 0 && facts.st_uid == ::geteuid();
}

bool remove_if_orphan(int folder, const char* name) {
  struct stat named;
  if (::fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) != 0 || !is_half_done(named)) {
    return false;
  }
  const OwnedFd file(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat facts;
  if (!file.valid() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return false;
  // It may have become whole before the lock was ours, or the name somebody else's.
  if (::fstat(file.get(), &facts) != 0 || !is_half_done(facts) || facts.st_ino != named.st_ino ||
      facts.st_dev != named.st_dev) {
    return false;
  }
  return ::unlinkat(folder, name, 0) == 0;
}

}  // namespace

int TempFile::create(const std::string& path_template, mode_t mode) {
  path_ = path_template;
  mode_ = mode;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    if (const int failed = write_random_end(path_); failed != 0) return failed;
    file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                       kHalfDone | S_IRUSR | S_IWUSR));
    if (file_.get() >= descriptor_ceiling(DescriptorUse::kWork)) {
      remove();
      return EMFILE;
    }
    if (!file_.valid()) {
      if (errno == EEXIST) continue;
      return errno;
    }
    // Somebody who sweeps may have been faster: then it is lost, and another one is made.
    const bool locked = ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno == EWOULDBLOCK) continue;
    if (!is_still_there(file_.get())) continue;
    if (const int failed = mark(kHalfDone); failed != 0) {
      remove();
      return failed;
    }
    return 0;
  }
  file_.reset();
  return EEXIST;
}

int TempFile::mark(mode_t more) { return ::fchmod(file_.get(), mode_ | more) == 0 ? 0 : errno; }

int TempFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

int TempFile::finish() {
  if (const int failed = mark(0); failed != 0) return failed;
  // Where the disk is a network's, here it may still say no.
  if (::close(file_.release()) != 0 && errno != EINTR) return errno;
  return 0;
}

int TempFile::remove() {
  if (path_.empty()) return 0;
  const int failed = ::unlink(path_.c_str()) == 0 || errno == ENOENT ? 0 : errno;
  file_.reset();
  return failed;
}

size_t sweep_half_done(const std::string& path_template) {
  const size_t slash = path_template.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_template.substr(0, slash + 1);
  const std::string_view name = std::string_view(path_template).substr(slash + 1);
  const std::string_view beginning = name.substr(0, name.size() - kTemplateEnd.size());
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
  if (entries == nullptr) return 0;
  size_t removed = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view found = entry->d_name;
    if (found.size() != name.size() || !found.starts_with(beginning)) continue;
    if (remove_if_orphan(::dirfd(entries.get()), entry->d_name)) ++removed;
  }
  return removed;
}

}  // namespace m2
