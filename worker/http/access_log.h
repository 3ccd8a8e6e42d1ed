// The access log of one worker: one line for each exchange, in the form of Mongrel2 1.x (a
// tnetstring list, docs/operations.md). Lines are gathered in memory and written when there are
// many or when they are old; a disk that takes nothing costs lines, which are counted, never a
// wait.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/loop.h"
#include "common/owned_fd.h"

namespace m2 {

struct AccessLogLine {
  std::string_view host;  // name of the host row
  std::string_view peer;  // address
  uint16_t peer_port = 0;
  std::string_view request;  // from AccessLog::request_fields
  int status = 0;
  uint64_t bytes = 0;  // of the answer's body
};

class AccessLog {
 public:
  AccessLog(Loop& loop, OwnedFd fd);  // invalid fd: no log
  ~AccessLog();

  // Method, path and version as they will stand in the line; taken while the request is there.
  static void request_fields(std::string_view method, std::string_view path, bool http10,
                             std::string& out);
  void add(const AccessLogLine& line);
  void set_flush_ms(uint32_t flush_ms) { flush_s_ = flush_ms / 1000.0; }
  void set_enabled(bool enabled) { enabled_ = enabled; }
  // Later lines go to another file (rotation); what is gathered still goes to the old one.
  void redirect(OwnedFd fd);
  void flush();
  uint64_t lines_lost() const { return lines_lost_; }

 private:
  Loop& loop_;
  OwnedFd fd_;
  TimerWatcher timer_;
  std::string gathered_;
  std::string line_;
  uint64_t lines_gathered_ = 0;
  uint64_t lines_lost_ = 0;
  double flush_s_ = 1.0;
  bool enabled_ = true;
};

}  // namespace m2
