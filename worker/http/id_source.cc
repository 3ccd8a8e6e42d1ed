#include "worker/http/id_source.h"

#include <algorithm>

namespace m2 {

IdSource::IdSource(ConnectionId first)
    : first_(first), next_(first), next_tick_(incarnation_of(first) * kTicksOfMs) {}

// The clock, not the last id, says where to go on: so an id stands for the time at which it was
// given out, whichever worker and whichever run did so, and is free until that comes round.
ConnectionId IdSource::next(double now, const ConnectionTable& in_use) {
  if (!short_) return next_++;
  next_tick_ = std::max(next_tick_, tick_at(now));
  for (;;) {  // there are more ids than connections can be
    const ConnectionId id = short_connection_id(slot_of(first_), next_tick_++);
    if (id != 0 && in_use.find(id) == nullptr && !ended_.contains(id, now)) return id;
  }
}

}  // namespace m2
