// After an upgrade of the program another server waits for the handlers of this one. Lets go of
// each pair as soon as none of its clients is owed anything by it, and of all of them at the limit,
// in order: what is still held is ended, handlers hear of every client they knew, and then their
// connections end. Used by Worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/loop.h"
#include "worker/http/clients.h"
#include "worker/link/handler_links.h"

namespace m2 {

class HandlersLeave {
 public:
  // Keys, one a line, of endpoints at which nobody of this worker listens any more.
  using Left = std::function<void(std::string keys)>;

  // All outlive it.
  HandlersLeave(Loop& loop, Clients& clients, HandlerLinks& links, Left left)
      : loop_(loop), clients_(clients), links_(links), left_(std::move(left)) {}

  void begin(uint64_t limit_ms);
  // Every pair is left, or was never to be.
  bool done() const { return !timer_.active(); }

 private:
  void look();
  bool owed(const HandlerLink& link);
  void end_what_is_owed(const HandlerLink& link);
  void tell(const HandlerLink& link);

  Loop& loop_;
  Clients& clients_;
  HandlerLinks& links_;
  const Left left_;
  double limit_ = 0;                         // loop time
  std::map<const HandlerLink*, bool> told_;  // of the pairs that are not left yet
  TimerWatcher timer_;
};

}  // namespace m2
