// What systemd wants to hear (sd_notify(3), Type=notify-reload), by hand: one datagram a state. The
// socket is opened before the chroot; without NOTIFY_SOCKET everything here does nothing.
#pragma once

#include <string>

#include "common/owned_fd.h"

namespace m2 {

class Notify {
 public:
  // Reads NOTIFY_SOCKET and removes it from the environment.
  static Notify from_environment();

  bool active() const { return socket_.valid(); }
  void ready(const std::string& status) const;  // also the end of a reload, whatever came of it
  void reloading() const;
  void stopping() const;

 private:
  void send(const std::string& text) const;

  OwnedFd socket_;
};

}  // namespace m2
