// Which backend of one Proxy gets a request: in turn or the least busy, past those that fail, and
// whether a request that failed may go to another one. Owned by Proxy, asked by its exchanges. Its
// state, but for the turn and the retry budget, is the backends' own and outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/loop.h"
#include "worker/target/backends.h"

namespace m2 {

struct BalanceLimits {
  HealthLimits health;
  uint32_t retry_percent = 20;  // of the requests of this Proxy in this worker
};

class Balancer {
 public:
  // Backends that one request visits at most.
  static constexpr unsigned kVisitsMax = 3;

  // A set of indexes into the backends, those that a request has visited.
  using Visited = uint64_t;

  // At least one backend, at most kBackendsMax.
  Balancer(Loop& loop, std::vector<std::shared_ptr<Backend>> backends, Balance balance,
           const BalanceLimits& limits);

  // Every new request is counted here, for the budget.
  void request_begins();
  // The backend for a request that has visited these; never none, though all may be out of turn:
  // then the one with the fewest failures in a row. Adds it to visited.
  Backend& pick(Visited& visited);
  // Whether a request that failed there may go to another one; takes it off the budget.
  bool may_move(Visited visited, const Backend& failed);

  void answered(Backend& backend);
  // It gave no answer, or none that is HTTP. why: for the log, names the backend.
  void failed(Backend& backend, std::string_view why);

  const std::vector<std::shared_ptr<Backend>>& backends() const { return backends_; }

 private:
  uint64_t now_ms() const { return static_cast<uint64_t>(loop_.now() * 1000.0); }
  bool is_better(const Backend& one, const Backend& other) const;
  Backend& take(size_t index, Visited& visited);

  Loop& loop_;
  const std::vector<std::shared_ptr<Backend>> backends_;
  const Balance balance_;
  const BalanceLimits limits_;
  size_t turn_ = 0;      // index of the one that is next
  uint32_t credit_ = 0;  // hundredths of a retry
  uint64_t moved_ = 0;   // requests that went to another backend
  uint64_t denied_ = 0;  // that the budget kept from it
  double denied_at_s_ = 0;
};

}  // namespace m2
