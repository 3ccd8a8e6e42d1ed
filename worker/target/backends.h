// The backends that this worker knows, by host and port: each with its connections, its health and
// its counters, shared by all Proxy rows and generations that name it, so that a reload loses none
// of it. Asks for names to be looked up again, and takes what was found. Owned by Targets.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/config/model.h"
#include "common/deadlines.h"
#include "common/loop.h"
#include "common/treaty/addresses.h"
#include "worker/target/backend_health.h"
#include "worker/target/backend_pool.h"

namespace m2 {

struct Backend {
  Backend(const BackendPool::Home& home, const BackendRow& row, const PoolLimits& limits)
      : pool(home, row.host, row.port, make_addresses(row.host, row.port, row.addresses), limits) {}

  const std::string& name() const { return pool.name(); }

  BackendPool pool;
  BackendHealth health;
  uint64_t requests = 0;  // given to it
  uint64_t failures = 0;  // without an answer
};

class Backends final : private AddressWatch {
 public:
  // Asks somebody outside the jail to look the configured names up again.
  using AskForLookUp = std::function<void()>;

  // loop and deadlines outlive it and every backend that it gave out; so does it itself.
  Backends(Loop& loop, Deadlines& deadlines) : loop_(loop), deadlines_(deadlines) {}

  void set_ask(AskForLookUp ask) { ask_ = std::move(ask); }
  // least_ms: between two questions.
  void begin(uint32_t least_ms);
  // The backend of this row. One that is there keeps its connections if the limits are the same,
  // and its health in any case; it gets the addresses of the row.
  std::shared_ptr<Backend> backend(const BackendRow& row, const PoolLimits& limits);
  // The answer to a question of this worker or of another one.
  void take(const NamedAddresses& found);

 private:
  void address_failed(const std::string& name) override;

  Loop& loop_;
  Deadlines& deadlines_;
  AskForLookUp ask_;
  std::map<std::pair<std::string, uint16_t>, std::weak_ptr<Backend>> known_;
  double least_s_ = 10;
  double asked_at_s_ = 0;
};

}  // namespace m2
