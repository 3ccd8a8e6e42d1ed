// What systemd wants to hear (sd_notify(3), Type=notify-reload), by hand: one datagram a state. The
// socket is opened before the chroot; without NOTIFY_SOCKET everything here does nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/owned_fd.h"

namespace m2 {

class Notify {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them from the environment.
  static Notify from_environment();

  bool active() const { return socket_.valid(); }
  void ready(const std::string& status) const;  // also the end of a reload, whatever came of it
  void reloading() const;
  void stopping() const;
  // Another process is the server from now on, and speaks for it.
  void main_pid(long pid) const;
  // What that process must find in its environment: "NOTIFY_SOCKET=...".
  const std::vector<std::string>& environment() const { return environment_; }
  // The watchdog is fed; status as ready() has it.
  void alive(const std::string& status) const;
  // 0: the manager has no watchdog on us.
  uint64_t watchdog_ms() const { return watchdog_ms_; }

 private:
  void send(const std::string& text) const;

  OwnedFd socket_;
  std::vector<std::string> environment_;
  uint64_t watchdog_ms_ = 0;
};

}  // namespace m2
