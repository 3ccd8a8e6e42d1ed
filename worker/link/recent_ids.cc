#include "worker/link/recent_ids.h"

namespace m2 {

bool RecentIds::insert(ConnectionId id, double now) {
  if (contains(id, now)) return false;
  if (newer_.insert(id)) return true;
  older_.swap(newer_);
  newer_.take();
  newer_since_ = now;
  newer_.insert(id);
  return true;
}

bool RecentIds::contains(ConnectionId id, double now) {
  turn_over(now);
  return newer_.contains(id) || older_.contains(id);
}

void RecentIds::erase(ConnectionId id) {
  newer_.erase(id);
  older_.erase(id);
}

// Forgetting all of one age at once costs no time stamp for each.
void RecentIds::turn_over(double now) {
  if (now - newer_since_ < remember_s_) return;
  const bool both = now - newer_since_ >= 2 * remember_s_;
  older_.swap(newer_);
  newer_.take();
  if (both) older_.take();
  newer_since_ = now;
}

}  // namespace m2
