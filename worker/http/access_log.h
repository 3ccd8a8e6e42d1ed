// The access log of one worker: one line for each exchange. Lines are gathered in memory and given
// to the file's own thread when there are many or when they are old; a disk that takes nothing
// costs lines, which are counted, never a wait.
#pragma once

#include <cstdint>
#include <string>

#include "common/log_writer.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "worker/http/access_log_format.h"

namespace m2 {

class AccessLog {
 public:
  AccessLog(Loop& loop, OwnedFd fd);  // invalid fd: no log
  ~AccessLog();

  void add(const AccessLogLine& line);
  void set_flush_ms(uint32_t flush_ms) { flush_s_ = flush_ms / 1000.0; }
  void set_enabled(bool enabled) { enabled_ = enabled; }
  // Later lines go to another file (rotation); what is gathered still goes to the old one.
  void redirect(OwnedFd fd);
  void flush();

 private:
  Loop& loop_;
  LogWriter writer_;
  TimerWatcher timer_;
  std::string gathered_;
  std::string line_;
  uint64_t lines_gathered_ = 0;
  double flush_s_ = 1.0;
  bool enabled_ = true;
};

}  // namespace m2
