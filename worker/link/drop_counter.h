// Counts what was dropped for one cause, and says which of them deserve a line in the log: the
// first at once, then one now and then, so that a mad peer cannot fill the disk.
#pragma once

#include <time.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace m2 {

class DropCounter {
 public:
  // True: log this one, with total().
  bool add() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (total_++ != 0 && now.tv_sec < next_line_s_) return false;
    next_line_s_ = now.tv_sec + kPerLineS;
    return true;
  }
  uint64_t total() const { return total_; }

 private:
  static constexpr time_t kPerLineS = 10;
  uint64_t total_ = 0;
  time_t next_line_s_ = 0;
};

// The same for each kind of a cause, so that a fault that is new is seen beside one that comes all
// the time.
class KindCounter {
 public:
  // 0: no line. Else how many of this kind there were. Digits make no kind.
  uint64_t add(std::string_view what) {
    ++total_;
    std::string kind;
    for (const char c : what.substr(0, kKindBytes)) {
      if (c < '0' || c > '9') kind += c;
    }
    const bool is_new = !kinds_.contains(kind);
    DropCounter& counter = is_new && kinds_.size() == kKindsMax ? others_ : kinds_[kind];
    return counter.add() ? counter.total() : 0;
  }
  uint64_t total() const { return total_; }

 private:
  static constexpr size_t kKindsMax = 32;  // those beyond count as one
  static constexpr size_t kKindBytes = 200;
  std::map<std::string, DropCounter> kinds_;
  DropCounter others_;
  uint64_t total_ = 0;
};

}  // namespace m2
