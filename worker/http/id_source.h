// Gives out the connection ids of one worker (proto/handler/connection_id.h). Used by Clients.
// Short ids follow a clock and wrap: one that is in use, or was a short while ago, is passed over.
#pragma once

#include "proto/handler/connection_id.h"
#include "worker/http/connection_table.h"
#include "worker/link/recent_ids.h"

namespace m2 {

class IdSource {
 public:
  // first: of this worker.
  explicit IdSource(ConnectionId first);

  // From the next id on: ids.bits.
  void set_short(bool is_short) { short_ = is_short; }
  // now: seconds since the epoch. in_use: the connections that live.
  ConnectionId next(double now, const ConnectionTable& in_use);
  // Its connection has ended.
  void ended(ConnectionId id, double now) {
    if (is_short(id)) ended_.insert(id, now);
  }
  // It may be an id that next() returned.
  bool may_have_given(ConnectionId id, double now) const {
    return m2::may_have_given(first_, id, tick_at(now));
  }

 private:
  // Longer than anybody else remembers that handlers were told of an end (RecentIds).
  static constexpr double kRestS = 4 * RecentIds::kRememberS;
  static constexpr size_t kEndedMax = 64 * 1024;

  const ConnectionId first_;
  ConnectionId next_;
  uint64_t next_tick_;
  bool short_ = false;
  RecentIds ended_{kEndedMax, kRestS};
};

}  // namespace m2
