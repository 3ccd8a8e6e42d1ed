// Proxy: a route whose requests are answered by an HTTP/1.1 server somewhere else (manual 3.4.5).
// Owns what its exchanges share: the choice of a backend, objects to reuse. One in each worker for
// each row and generation; docs/proxy.md tells operators what it does.
#pragma once

#include <memory>
#include <vector>

#include "common/config/model.h"
#include "common/deadlines.h"
#include "common/loop.h"
#include "worker/target/balancer.h"
#include "worker/target/target.h"

namespace m2 {

class ProxyExchange;

struct ProxyLimits {
  BalanceLimits balance;
  uint32_t head_bytes_max = 65536;  // of an answer's head
  uint32_t tunnel_ms = 300000;      // longest silence of a connection that switched protocols
  bool via = true;
};

class Proxy final : public Target {
 public:
  // loop and deadlines outlive the proxy. backends: those of the row, in its order. Nothing is
  // connected before the first request.
  Proxy(Loop& loop, Deadlines& deadlines, const ProxyRow& row,
        std::vector<std::shared_ptr<Backend>> backends, const ProxyLimits& limits);
  ~Proxy() override;

  BodyPolicy body_policy(const Exchange&) const override { return BodyPolicy::kStream; }
  void start(Exchange& exchange) override;

  const ProxyRow& row() const { return row_; }
  const Balancer& balancer() const { return balancer_; }

 private:
  friend class ProxyExchange;

  void recycle(ProxyExchange& exchange) { spare_.push_back(&exchange); }
  // Its head leaves with the first piece of its body, or when this turn of the loop ends.
  void hold_head(ProxyExchange& exchange);
  void end_of_turn();

  Loop& loop_;
  Deadlines& deadlines_;
  const ProxyRow row_;
  const ProxyLimits limits_;
  Balancer balancer_;
  PrepareWatcher end_of_turn_;  // runs only while heads are held
  std::vector<ProxyExchange*> held_;
  std::vector<std::unique_ptr<ProxyExchange>> exchanges_;  // objects are kept till the end
  std::vector<ProxyExchange*> spare_;
};

}  // namespace m2
