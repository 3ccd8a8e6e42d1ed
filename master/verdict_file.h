// What came of the latest reload, in a file beside the pid file, for `m2sh reload`, which waits for
// it: "COUNT ok TEXT" or "COUNT refused TEXT". COUNT grows with each verdict. Written whole, by
// renaming; with the rights of the jail's user, whose folder it is.
#pragma once

#include <cstdint>
#include <string>

#include "common/jail.h"

namespace m2 {

class VerdictFile {
 public:
  // path: inside the folder of the server.
  VerdictFile(std::string path, const Jail& jail) : path_(std::move(path)), jail_(jail) {}

  // A file that cannot be written costs a line in the log, never the reload.
  void write(bool ok, const std::string& text);
  void remove();
  // How many there were so far, also of the master whose place we take.
  uint64_t count() const { return count_; }
  void count_from(uint64_t count) { count_ = count; }

 private:
  const std::string path_;
  const Jail jail_;
  uint64_t count_ = 0;
};

// "run/mongrel2.verdict" for "run/mongrel2.pid".
std::string verdict_path(std::string pid_path);

}  // namespace m2
