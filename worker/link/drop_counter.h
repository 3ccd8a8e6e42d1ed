// Counts what was dropped for one cause, and says which of them deserve a line in the log: the
// first and then every thousandth, so that a mad peer cannot fill the disk.
#pragma once

#include <cstdint>

namespace m2 {

class DropCounter {
 public:
  // True: log this one, with total().
  bool add() { return total_++ % kPerLine == 0; }
  uint64_t total() const { return total_; }

 private:
  static constexpr uint64_t kPerLine = 1000;
  uint64_t total_ = 0;
};

}  // namespace m2
