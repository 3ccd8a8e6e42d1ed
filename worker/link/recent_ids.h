// Connections whose end the handlers of a pair were told of a short while ago, so that a reply
// which crossed the notice does not bring a second one. Used by handler links and by the relay's
// pairs.
#pragma once

#include <cstddef>

#include "worker/link/id_set.h"

namespace m2 {

class RecentIds {
 public:
  // An id is remembered for remember_s to twice that, and no longer than the newest ids_max of them
  // need: memory is bounded by two sets of ids_max.
  static constexpr double kRememberS = 30.0;
  explicit RecentIds(size_t ids_max, double remember_s = kRememberS)
      : remember_s_(remember_s), newer_(ids_max), older_(ids_max) {}

  // now: seconds of any clock that grows. False: it was there already.
  bool insert(ConnectionId id, double now);
  bool contains(ConnectionId id, double now);
  // It was not told after all.
  void erase(ConnectionId id);
  size_t size() const { return newer_.size() + older_.size(); }

 private:
  void turn_over(double now);

  const double remember_s_;
  IdSet newer_;
  IdSet older_;
  double newer_since_ = 0;
};

}  // namespace m2
