// Finds children that live but do nothing: a loop that spins, a stopped process, a disk that never
// answers. They are killed, and replaced like any that died. Feeds systemd's watchdog as long as
// every child answers. Owned by the supervisor.
#pragma once

#include <cstdint>
#include <string>

#include "common/loop.h"
#include "master/children.h"
#include "master/notify.h"

namespace m2 {

class HeartbeatWatch {
 public:
  // All outlive it.
  HeartbeatWatch(Loop& loop, Children& children, const Notify& notify)
      : loop_(loop), children_(children), notify_(notify) {}

  // heartbeat_ms: how long a child may say nothing; 0: for ever. status: what systemd shows, before
  // the number of connections.
  void watch(uint64_t heartbeat_ms, std::string status);
  void stop() { timer_.stop(); }

 private:
  void look();

  Loop& loop_;
  Children& children_;
  const Notify& notify_;
  TimerWatcher timer_;
  uint64_t heartbeat_ms_ = 0;
  unsigned looks_per_limit_ = 0;
  std::string status_;
};

}  // namespace m2
