// Connections whose end brings no notice, as the relay has to know: else it would tell handlers of
// them when this worker dies. Told many at a time.
#pragma once

#include <memory>
#include <vector>

#include "common/loop.h"
#include "proto/handler/connection_id.h"

namespace m2 {

class LinkPlace;

class PartedConnections {
 public:
  // place: where the pair is now; both outlive this.
  PartedConnections(Loop& loop, const std::unique_ptr<LinkPlace>& place)
      : loop_(loop), place_(place) {}

  // Does nothing without a relay. One that is dropped, since too many wait, costs a needless
  // notice.
  void add(ConnectionId id);
  // The place is left for good.
  void stop();

 private:
  void say();

  Loop& loop_;
  const std::unique_ptr<LinkPlace>& place_;
  std::vector<ConnectionId> ids_;
  TimerWatcher timer_;
};

}  // namespace m2
