// The pid file: decimal, no newline, as in Mongrel2 1.x; and a lock on it, which says what a number
// alone cannot: whether that process still lives. The lock is the master's, children never have it.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/jail.h"
#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

class PidFile {
 public:
  // path: inside the folder of the server, shown: the same for people. original_root: a descriptor
  // of the real "/", for /proc. Refused while another server holds it ("Process N is still
  // running, ..."), also one without a lock (Mongrel2 1.x). What a dead one left is replaced.
  // predecessor: one that has let go of it, whose number does not count; 0: none. Root, who makes
  // the file as himself in a folder of somebody else, follows no link on the way there, and makes
  // and changes none that the jail's user could not remove.
  static Result<PidFile> take(const std::string& path, const std::string& shown, const Jail& jail,
                              int original_root, pid_t predecessor = 0);
  PidFile(PidFile&&) = default;
  PidFile& operator=(PidFile&&) = default;
  // Whoever holds it at his end, whatever that is, removes it.
  ~PidFile() { remove(); }

  // Leaves a file alone that is not ours any more.
  void remove();
  // Another process may take it now. It stays as it is until then.
  void let_go() { fd_.reset(); }
  bool held() const { return fd_.valid(); }
  // The pid that a dead server left in the file; 0: none.
  long stale_pid() const { return stale_pid_; }

 private:
  PidFile() = default;

  Status open(const std::string& path, const std::string& shown);
  Status lock_or_replace(const std::string& shown);
  bool is_named() const;

  OwnedFd folder_;  // wherever its name leads later
  std::string name_;
  OwnedFd fd_;
  long stale_pid_ = 0;
};

}  // namespace m2
