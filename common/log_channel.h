// The error log of the master, which forks and so must have neither a thread nor a call that waits:
// another process writes its lines, whatever they lead to (a pipe whose reader has stopped, a
// terminal that is held, a disk that hangs). Both ends of the channel between them.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/log_file.h"
#include "common/owned_fd.h"

namespace m2 {

// The master's end. A line is waited for until it is written, so that whoever reads the log finds
// it there, but no longer than a second in ten.
class LogChannel {
 public:
  // socket: one end of a SEQPACKET pair.
  explicit LogChannel(OwnedFd socket) : socket_(std::move(socket)) {}

  // As LogFile::write, also of lines before. Reasons: EAGAIN: it has not written what it was given,
  // and takes no more for now; EPIPE: it is gone.
  LogLoss write(std::string_view line);
  // Later lines go to that file.
  void redirect(int fd);

 private:
  bool send(std::string_view text, int fd);
  void hear(int patience_ms);
  void move_on();
  int patience_ms() const;

  OwnedFd socket_;
  OwnedFd other_file_;  // not told yet
  uint64_t sent_ = 0;
  uint64_t handled_ = 0;
  uint64_t lost_ = 0;       // by the other end, as it last said
  uint64_t lost_said_ = 0;  // of these, returned by write()
  int reason_ = 0;
  uint64_t impatient_until_ms_ = 0;
};

// The other end: writes to fd what comes, until nobody is there any more.
void serve_log_channel(int socket, OwnedFd fd);

}  // namespace m2
