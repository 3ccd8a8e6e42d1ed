// Addresses of a backend and the list of its idle connections. Nothing here reads or writes a
// socket.
#include "worker/target/backend_pool.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace m2 {
namespace {

constexpr double kLongWaitPauseS = 600;

}  // namespace

BackendPool::BackendPool(const Home& home, std::string host, uint16_t port,
                         BackendAddresses addresses, const PoolLimits& limits)
    : home_(home),
      host_(std::move(host)),
      port_(port),
      nowhere_("backend " + host_ + ":" + std::to_string(port)),
      limits_(limits),
      addresses_(std::move(addresses)),
      read_buffer_(std::make_unique_for_overwrite<std::array<char, 64 * 1024>>()) {}

const std::string& BackendPool::name() const {
  return addresses_->empty() ? nowhere_ : (*addresses_)[preferred_].name;
}

bool BackendPool::knows(const BackendAddress& address) const {
  return std::any_of(addresses_->begin(), addresses_->end(),
                     [&](const auto& known) { return known.numeric == address.numeric; });
}

void BackendPool::set_addresses(const std::vector<std::string>& numeric) {
  const bool same = std::equal(
      addresses_->begin(), addresses_->end(), numeric.begin(), numeric.end(),
      [](const BackendAddress& known, const std::string& now) { return known.numeric == now; });
  if (same || numeric.empty()) return;
  addresses_ = make_addresses(host_, port_, numeric);
  preferred_ = 0;
  std::string all;
  for (const std::string& one : numeric) all.append(all.empty() ? "" : ", ").append(one);
  log_info(nowhere_ + " has other addresses now: " + all);
  for (BackendConnection* connection = idle_first_; connection != nullptr;) {
    BackendConnection* next = connection->next_;
    if (!knows(connection->address())) connection->close();
    connection = next;
  }
}

BackendConnection* BackendPool::acquire(BackendUser& user, Use use, BackendEnd& end) {
  while (use != Use::kNew && idle_first_ != nullptr) {
    BackendConnection& connection = *idle_first_;
    if (use == Use::kCheckedIdle && !connection.looks_alive()) {
      connection.close();
      continue;
    }
    unlink_idle(connection);
    connection.reuse(user);
    return &connection;
  }
  if (addresses_->empty()) {
    ask_for_addresses();
    end = {.cause = BackendEnd::Cause::kUnreachable, .why = name() + ": the name has no address"};
    return nullptr;
  }
  if (!has_connections()) {
    end = {.cause = BackendEnd::Cause::kExhausted,
           .why = name() + ": all " + std::to_string(limits_.connections_max) +
                  " connections that a worker may open are in use"};
    return nullptr;
  }
  if (spare_.empty()) {
    connections_.push_back(std::make_unique<BackendConnection>(*this));
    spare_.reserve(connections_.capacity());
    spare_.push_back(connections_.back().get());
  }
  BackendConnection& connection = *spare_.back();
  spare_.pop_back();
  return connection.open(user, end) ? &connection : nullptr;
}

// The kernel takes connections for a backend that is busy with others, so this alone tells of it.
void BackendPool::note_long_wait() {
  const double now = loop().now();
  if (now - long_wait_at_s_ < kLongWaitPauseS) return;
  long_wait_at_s_ = now;
  log_warn(
      name() + ": no answer on a new connection for " + std::to_string(kLongWaitMs) +
      " ms: it is slow, or serves few connections at a time and others hold it (idle ones of a "
      "worker are closed after proxy.idle_ms=" +
      std::to_string(limits_.idle_ms) + ")");
}

void BackendPool::link_idle(BackendConnection& connection) {
  connection.previous_ = nullptr;
  connection.next_ = idle_first_;
  if (idle_first_ != nullptr) idle_first_->previous_ = &connection;
  idle_first_ = &connection;
  ++idle_count_;
}

void BackendPool::unlink_idle(BackendConnection& connection) {
  if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
  (connection.previous_ != nullptr ? connection.previous_->next_ : idle_first_) = connection.next_;
  --idle_count_;
}

}  // namespace m2
