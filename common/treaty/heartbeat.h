// A child's end of the heartbeat: while its loop turns, the master hears kAlive several times
// within each setting heartbeat_ms. master/heartbeat_watch.h is the other end.
#pragma once

#include <cstdint>
#include <functional>

#include "common/loop.h"
#include "common/treaty/channel.h"

namespace m2 {

class Heartbeat {
 public:
  // connections: how many are open now, for the status. All outlive the heartbeat.
  Heartbeat(Loop& loop, Channel& channel, std::function<uint64_t()> connections);
  // From now on in time for this setting.
  void set(uint64_t heartbeat_ms);

 private:
  void beat();

  Loop& loop_;
  Channel& channel_;
  const std::function<uint64_t()> connections_;
  TimerWatcher timer_;
};

// Parts of heartbeat_ms: a child speaks once in each, the master looks once in each.
inline constexpr unsigned kBeatsPerLimit = 4;

}  // namespace m2
