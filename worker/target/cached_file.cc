// What one open file says about itself. Knows no HTTP.
#include "worker/target/cached_file.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "common/in_quotes.h"
#include "common/log.h"
#include "common/log_limit.h"

namespace m2 {
namespace {

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// How long a write may take from the file's time to its size, on a busy disk.
constexpr int64_t kDoubtMs = 1000;

int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size &&
         same_time(a.st_mtim, b.st_mtim) && same_time(a.st_ctim, b.st_ctim) &&
         a.st_mode == b.st_mode;
}

bool CachedFile::read_body(std::string& out) const {
  out.resize(static_cast<size_t>(size()));
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(file.get(), out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

void CachedFile::read_tail() {
  const size_t count = std::min<size_t>(tail.size(), static_cast<size_t>(size()));
  const off_t at = seen.st_size - static_cast<off_t>(count);
  // A file that cannot be read fails when it is sent.
  if (::pread(file.get(), tail.data(), count, at) < 0) tail.fill(0);
}

bool CachedFile::has_its_tail() const {
  std::array<char, kTailBytes> end{};
  const size_t count = std::min<size_t>(end.size(), static_cast<size_t>(size()));
  const off_t at = seen.st_size - static_cast<off_t>(count);
  return ::pread(file.get(), end.data(), count, at) == static_cast<ssize_t>(count) &&
         std::memcmp(end.data(), tail.data(), count) == 0;
}

SentFile::State CachedFile::state() const {
  struct stat now {};
  const char* what = "was changed";
  if (::fstat(file.get(), &now) != 0) {
    what = "cannot be read any more";
  } else if (now.st_size < seen.st_size) {
    what = "was cut shorter";
  } else if (now.st_size > seen.st_size) {
    if (has_its_tail()) return State::kSame;
  } else {
    if (same_time(now.st_mtim, seen.st_mtim)) return State::kSame;
    // A write sets the time before the size: it may be about to add to the end.
    if (doubted_at_ms == 0) doubted_at_ms = monotonic_ms();
    if (monotonic_ms() - doubted_at_ms < kDoubtMs) return State::kDoubtful;
  }
  static LogLimit limit("files that changed while they were sent");
  limit.write(in_quotes(path) + " " + what + " while it was sent: closing the client's connection");
  return State::kChanged;
}

}  // namespace m2
