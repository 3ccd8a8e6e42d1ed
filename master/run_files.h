// What the master leaves in the folder of its pid file while it serves: the verdict of a reload,
// the book of jails; and what dead workers left there. The process that writes the log does the
// work (log_process.h), because a disk that hangs below a call makes its caller wait, and nobody
// may make the master wait. Both ends of the channel between them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/jail.h"
#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

// The master's end. Until there is a process, and when there is none any more, it works by itself,
// with the rights of the jail's user, whose folder it is.
class RunFiles {
 public:
  explicit RunFiles(const Jail& jail) : jail_(jail) {}
  RunFiles(const RunFiles&) = delete;
  RunFiles& operator=(const RunFiles&) = delete;

  // Written whole, by renaming. Waits until it is, so that whoever hears of an event finds it in
  // the file, but one second in ten at most; of what still waits then only the latest is written.
  // An error: the reason of this one, or of one before that is known now.
  Status write(const std::string& path, const std::string& text);
  Status remove(const std::string& path);
  // Removes the sockets of that folder whose names begin so.
  Status remove_sockets(const std::string& folder, const std::string& prefix);

  // socket: one end of a SEQPACKET pair whose other end is served by serve_run_files(). It is told
  // what the one before it may not have written.
  void hand_to(OwnedFd socket);
  // The process ends when it has done what it was told.
  void let_go() { socket_.reset(); }

 private:
  Status order(char what, const std::string& path, const std::string& text);
  bool send(char what, const std::string& path, const std::string& text);
  Status hear(int patience_ms);

  const Jail jail_;
  OwnedFd socket_;
  std::map<std::string, std::string> latest_;  // of each file
  uint64_t sent_ = 0;
  uint64_t done_ = 0;
  uint64_t impatient_until_ms_ = 0;
};

// The other end, in a process with the rights of the jail's user: does what comes until nobody is
// there any more, and all is done.
void serve_run_files(int socket);

}  // namespace m2
