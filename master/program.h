// The program file that this process was started from, and how to start what is found there now: a
// newer version of it, after an upgrade. Remembered by main before any chroot, run by a child that
// has gone back to the original root.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/status.h"

namespace m2 {

class Program {
 public:
  // argv as main got it. A path that was typed is kept as it is, so that a link that is changed
  // counts; a name that was looked up becomes the file that was found.
  static Program remember(int argc, const char* const* argv);

  const std::string& path() const { return path_; }
  // Whether it can be started: a regular file that may be executed, and for root one that nobody
  // else could have put there. An error names the file and the way out.
  Status check(bool as_root) const;
  // Becomes it, with the same arguments and the environment of now. Returns only when that failed.
  Status execute() const;

 private:
  std::string path_;
  std::vector<std::string> arguments_;
  uid_t owner_ = 0;
};

}  // namespace m2
