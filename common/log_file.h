// One log file, as one process sees it: whole lines or none, whatever the disk has room for. Used
// by one thread at a time, and where waiting does no harm: a file may take long.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/owned_fd.h"

namespace m2 {

// What became of lines: reason 0: all are written; else the errno, and how many are lost.
struct LogLoss {
  int reason = 0;
  uint64_t lines = 0;
};

class LogFile {
 public:
  // fd: -1: takes every line and writes none. It is not owned.
  explicit LogFile(int fd);
  // From here on with a duplicate of the descriptor, which may be closed outside.
  void keep();
  // text: whole lines, each with its end. Files: one write(2), so that lines of several processes
  // stay whole; what a full disk took of a line is taken back. Pipes and the like: in pieces that
  // the kernel does not mix with those of others (PIPE_BUF); only longer lines may be mixed.
  LogLoss write(std::string_view text);

 private:
  LogLoss write_to_file(std::string_view text);
  LogLoss write_to_stream(std::string_view text);
  bool take_back(size_t bytes);
  void lock();
  void unlock();

  int fd_;
  bool is_file_ = false;
  OwnedFd kept_;
  bool torn_ = false;  // the end of a line is missing, and the line could not be taken back
  bool locked_ = false;
};

}  // namespace m2
