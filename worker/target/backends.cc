#include "worker/target/backends.h"

#include <arpa/inet.h>

#include "common/log.h"

namespace m2 {
namespace {

bool is_numeric(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

void Backends::begin(uint32_t least_ms) {
  least_s_ = least_ms / 1000.0;
  std::erase_if(known_, [](const auto& item) { return item.second.expired(); });
}

std::shared_ptr<Backend> Backends::backend(const BackendRow& row, const PoolLimits& limits) {
  std::weak_ptr<Backend>& known = known_[{row.host, row.port}];
  std::shared_ptr<Backend> earlier = known.lock();
  if (earlier != nullptr && earlier->pool.limits() == limits) {
    earlier->pool.set_addresses(row.addresses);
    return earlier;
  }
  const BackendPool::Home home{loop_, deadlines_, *this};
  auto made = std::make_shared<Backend>(home, row, limits);
  if (earlier != nullptr) {
    made->health = earlier->health;
    made->requests = earlier->requests;
    made->failures = earlier->failures;
  }
  known = made;
  return made;
}

void Backends::take(const NamedAddresses& found) {
  for (const auto& [key, known] : known_) {
    const auto addresses = found.find(key.first);
    const std::shared_ptr<Backend> backend = known.lock();
    if (backend == nullptr || addresses == found.end()) continue;
    backend->pool.set_addresses(addresses->second);
  }
}

void Backends::address_failed(const std::string& name) {
  if (ask_ == nullptr || is_numeric(name)) return;
  const double now = loop_.now();
  if (asked_at_s_ != 0 && now - asked_at_s_ < least_s_) return;
  asked_at_s_ = now;
  log_info("an address of " + name + " does not answer: asking for names to be looked up again");
  ask_();
}

}  // namespace m2
