// Hands each request to a ProxyExchange. The number of those is bounded by the backends'
// connections.
#include "worker/target/proxy.h"

#include <utility>

#include "worker/target/proxy_exchange.h"

namespace m2 {

Proxy::Proxy(Loop& loop, Deadlines& deadlines, const ProxyRow& row,
             std::vector<std::shared_ptr<Backend>> backends, const ProxyLimits& limits)
    : loop_(loop),
      deadlines_(deadlines),
      row_(row),
      limits_(limits),
      balancer_(loop, std::move(backends), row.balance, limits.balance) {}

Proxy::~Proxy() = default;

void Proxy::start(Exchange& exchange) {
  if (spare_.empty()) {
    exchanges_.push_back(std::make_unique<ProxyExchange>(*this));
    spare_.push_back(exchanges_.back().get());
  }
  ProxyExchange& through = *spare_.back();
  spare_.pop_back();
  through.begin(exchange);
}

void Proxy::hold_head(ProxyExchange& exchange) {
  held_.push_back(&exchange);
  if (!end_of_turn_.active()) end_of_turn_.start<&Proxy::end_of_turn>(loop_, this);
}

void Proxy::end_of_turn() {
  for (ProxyExchange* exchange : held_) exchange->send_held_head();
  held_.clear();
  end_of_turn_.stop();
}

}  // namespace m2
