// Signals to the master as events of its loop, by signalfd: no handler ever runs, nothing is lost
// between two turns, and nothing of it survives in a child.
#pragma once

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

class SignalUser {
 public:
  virtual void signal_arrived(int number) = 0;

 protected:
  ~SignalUser() = default;
};

// From now on HUP, USR1, USR2, TERM, INT, QUIT and CHLD wait until somebody reads them from this.
Result<OwnedFd> hold_signals();

class Signals {
 public:
  // held: from hold_signals(). user must outlive this.
  Signals(Loop& loop, OwnedFd held, SignalUser& user);

 private:
  void on_ready(int revents);

  OwnedFd fd_;
  SignalUser& user_;
  IoWatcher watcher_;
};

}  // namespace m2
