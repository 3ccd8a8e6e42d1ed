#include "master/heartbeat_watch.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/treaty/heartbeat.h"
#include "master/planned_generation.h"

namespace m2 {

// Our own looks are counted, not the clock: after a pause of the whole machine nobody is late.
void HeartbeatWatch::watch(uint64_t heartbeat_ms, std::string status) {
  heartbeat_ms_ = heartbeat_ms;
  status_ = std::move(status);
  if (heartbeat_ms == 0) return timer_.stop();
  double every_ms = static_cast<double>(heartbeat_ms) / kBeatsPerLimit;
  if (notify_.watchdog_ms() != 0) every_ms = std::min(every_ms, notify_.watchdog_ms() / 3.0);
  looks_per_limit_ = static_cast<unsigned>(static_cast<double>(heartbeat_ms) / every_ms) + 1;
  timer_.start<&HeartbeatWatch::look>(loop_, every_ms / 1000.0, every_ms / 1000.0, this);
}

void HeartbeatWatch::look() {
  bool all_well = true;
  uint64_t connections = 0;
  children_.each([&](Child& child) {
    connections += child.connections;
    // Who owes an answer, builds or finishes something: that has a limit of its own.
    if (child.serves == 0 || child.leaving || child.owes_answer()) return;
    if (++child.silent_looks <= looks_per_limit_) return;
    all_well = false;
    if (child.silent_looks != looks_per_limit_ + 1) return;  // the kernel is at it
    log_error(child.name() + " (process " + std::to_string(child.pid()) +
              ") has said nothing for heartbeat_ms=" + std::to_string(heartbeat_ms_) +
              "; it is killed");
    child.kill();
  });
  if (all_well) {
    notify_.alive(status_ + "; " + count_of(static_cast<unsigned>(connections), "connection"));
  }
}

}  // namespace m2
