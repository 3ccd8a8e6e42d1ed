// What came of the latest reload, in a file beside the pid file, for `m2sh reload`, which waits for
// it: "COUNT ok TEXT" or "COUNT refused TEXT". COUNT grows with each verdict. Written whole, by
// renaming.
#pragma once

#include <cstdint>
#include <string>

#include "master/run_files.h"

namespace m2 {

class VerdictFile {
 public:
  // path: inside the folder of the server. files: who writes it, outlives it.
  VerdictFile(std::string path, RunFiles& files) : path_(std::move(path)), files_(files) {}

  // A file that cannot be written costs a line in the log, never the reload.
  void write(bool ok, const std::string& text);
  void remove();
  // How many there were so far, also of the master whose place we take.
  uint64_t count() const { return count_; }
  void count_from(uint64_t count) { count_ = count; }

 private:
  const std::string path_;
  RunFiles& files_;
  uint64_t count_ = 0;
};

// "run/mongrel2.verdict" for "run/mongrel2.pid".
std::string verdict_path(std::string pid_path);

}  // namespace m2
