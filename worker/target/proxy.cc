// Hands each request to a ProxyExchange. The number of those is bounded by the pool's connections.
#include "worker/target/proxy.h"

#include "worker/target/proxy_exchange.h"

namespace m2 {

Proxy::Proxy(Loop& loop, Deadlines& deadlines, const ProxyRow& row, const ProxyLimits& limits)
    : loop_(loop), row_(row), pool_(loop, deadlines, row, limits) {}

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
