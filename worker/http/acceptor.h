// Takes new clients off one listening socket. The socket is shared with the other workers and with
// the master, which keeps it open for as long as any configuration names it.
#pragma once

#include <string>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "worker/http/admission.h"
#include "worker/http/clients.h"

namespace m2 {

class Acceptor {
 public:
  // clients outlives the acceptor. key: names it in logs.
  Acceptor(Clients& clients, std::string key, OwnedFd listener);

  // Its clients send a PROXY header first, from now on.
  void set_proxy_protocol(bool on) { proxy_protocol_ = on; }

  // Accepts whoever has already connected, then lets go of the socket.
  void finish();

 private:
  void on_ready(int revents);
  bool accept_one();
  bool has_descriptors();
  void wait(int error);
  void resume();
  void watch();

  Clients& clients_;
  std::string key_;
  OwnedFd listener_;
  bool proxy_protocol_ = false;
  int ceiling_;  // descriptors from here on are not for clients
  int latest_ = 0;
  IoWatcher watcher_;
  TimerWatcher pause_;
  LimitedLog faults_;
};

}  // namespace m2
