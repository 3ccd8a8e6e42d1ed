#include "common/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace m2 {
namespace {

// Others hold it for the time of one write.
constexpr int kLockTries = 50;
constexpr timespec kLockPause{0, 1'000'000};
// For a stream that somebody made non-blocking.
constexpr int kStreamPatienceMs = 1000;

uint64_t lines_in(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

// Up to the last line end within the bound; one line that is longer is a piece by itself.
std::string_view first_piece(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text;
  size_t end = text.rfind('\n', PIPE_BUF - 1);
  if (end == text.npos) end = text.find('\n');
  return text.substr(0, end == text.npos ? end : end + 1);
}

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

ssize_t write_once(int fd, std::string_view text) {
  ssize_t written;
  do {
    written = ::write(fd, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  return written;
}

}  // namespace

LogFile::LogFile(int fd) : fd_(fd) {
  struct stat facts;
  is_file_ = fd >= 0 && ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

void LogFile::keep() {
  if (fd_ < 0) return;
  kept_.reset(::fcntl(fd_, F_DUPFD_CLOEXEC, 3));
  fd_ = kept_.get();
}

LogLoss LogFile::write(std::string_view text) {
  if (fd_ < 0) return {};
  std::string mended;
  if (torn_) text = mended.append("\n").append(text);
  return is_file_ ? write_to_file(text) : write_to_stream(text);
}

LogLoss LogFile::write_to_file(std::string_view text) {
  lock();
  const ssize_t written = write_once(fd_, text);
  const int error = written < 0 ? errno : ENOSPC;
  const std::string_view taken = text.substr(0, static_cast<size_t>(std::max<ssize_t>(written, 0)));
  if (taken.size() < text.size()) {
    const size_t end = taken.rfind('\n');
    const size_t whole = end == taken.npos ? 0 : end + 1;
    if (!taken.empty()) torn_ = whole < taken.size() && !take_back(taken.size() - whole);
    text.remove_prefix(whole);
  } else {
    torn_ = false;
    text = {};
  }
  unlock();
  return text.empty() ? LogLoss{} : LogLoss{error, lines_in(text)};
}

// Whoever writes holds the lock, so the last bytes of the file are ours.
bool LogFile::take_back(size_t bytes) {
  struct stat facts;
  return locked_ && ::fstat(fd_, &facts) == 0 && facts.st_size >= static_cast<off_t>(bytes) &&
         ::ftruncate(fd_, facts.st_size - static_cast<off_t>(bytes)) == 0;
}

// Without it (a file system that has no locks, somebody who keeps it) lines are written all the
// same.
void LogFile::lock() {
  struct flock wanted = whole_file(F_WRLCK);
  for (int attempt = 0; attempt < kLockTries; ++attempt) {
    locked_ = ::fcntl(fd_, F_SETLK, &wanted) == 0;
    if (locked_ || (errno != EAGAIN && errno != EACCES)) return;
    ::nanosleep(&kLockPause, nullptr);
  }
}

void LogFile::unlock() {
  struct flock wanted = whole_file(F_UNLCK);
  if (std::exchange(locked_, false)) ::fcntl(fd_, F_SETLK, &wanted);
}

LogLoss LogFile::write_to_stream(std::string_view text) {
  while (!text.empty()) {
    std::string_view piece = first_piece(text);
    const size_t size = piece.size();
    while (!piece.empty()) {
      const ssize_t written = write_once(fd_, piece);
      if (written >= 0) {
        piece.remove_prefix(static_cast<size_t>(written));
        torn_ = !piece.empty();
        continue;
      }
      const int error = errno;
      pollfd writable{fd_, POLLOUT, 0};
      if (error == EAGAIN && ::poll(&writable, 1, kStreamPatienceMs) == 1) continue;
      return {error, lines_in(text)};
    }
    text.remove_prefix(size);
  }
  return {};
}

}  // namespace m2
