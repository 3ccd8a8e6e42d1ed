// Ids that nobody has and that handlers were told of a moment ago: one that answers notices must
// not make a storm. Bounded: beyond kIdsMax ids a second handlers hear of no more of them.
#pragma once

#include <cstddef>
#include <unordered_set>

#include "proto/handler/connection_id.h"

namespace m2 {

class UnknownIds {
 public:
  static constexpr size_t kIdsMax = 65536;

  // now: seconds of a clock that grows. False: it was told of within the last second.
  bool insert(ConnectionId id, double now) {
    if (now - since_ >= 1.0) {
      before_ = now - since_ >= 2.0 ? Set() : std::move(now_);
      now_ = Set();
      since_ = now;
    }
    return !before_.contains(id) && now_.size() < kIdsMax && now_.insert(id).second;
  }

 private:
  using Set = std::unordered_set<ConnectionId>;
  Set now_;
  Set before_;  // of the second before
  double since_ = 0;
};

}  // namespace m2
