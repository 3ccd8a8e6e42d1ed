// All connections to one backend in this worker: those in use and, last used first, those that wait
// for the next request. Opens new ones, within a bound; remembers which address works. Called by
// ProxyExchange. Connections close themselves when they have been idle for long.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/deadlines.h"
#include "common/loop.h"
#include "worker/target/backend_addresses.h"
#include "worker/target/backend_connection.h"

namespace m2 {

struct PoolLimits {
  uint32_t connect_ms = 5000;       // for one address
  uint32_t answer_ms = 60000;       // longest silence of a backend that owes something
  uint32_t idle_ms = 500;           // an unused connection is closed then
  uint32_t pool_max = 128;          // unused connections
  uint32_t connections_max = 1024;  // connections in all
  bool operator==(const PoolLimits&) const = default;
};

// Hears that an address of a name took no connection, or that the name has none: it should be
// looked up again.
class AddressWatch {
 public:
  virtual void address_failed(const std::string& name) = 0;

 protected:
  ~AddressWatch() = default;
};

class BackendPool {
 public:
  enum class Use : uint8_t {
    kIdle,         // an idle connection as it is; the caller can repeat its request
    kCheckedIdle,  // one that was looked at first
    kNew           // a new one only
  };

  struct Home {
    Loop& loop;
    Deadlines& deadlines;
    AddressWatch& watch;
  };
  // What home names outlives the pool. host: as configured, a name or numeric.
  BackendPool(const Home& home, std::string host, uint16_t port, BackendAddresses addresses,
              const PoolLimits& limits);
  BackendPool(const BackendPool&) = delete;
  BackendPool& operator=(const BackendPool&) = delete;

  // An idle connection, or a new one: that still connects, and keeps what is sent meanwhile.
  // nullptr: end says why. The user gives it back with release() or close(), or hears of its end.
  BackendConnection* acquire(BackendUser& user, Use use, BackendEnd& end);
  // From a later look-up. Idle connections to addresses that are no more are closed.
  void set_addresses(const std::vector<std::string>& numeric);

  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }
  bool has_addresses() const { return !addresses_->empty(); }
  // The name has to be looked up again.
  void ask_for_addresses() { home_.watch.address_failed(host_); }
  size_t idle_count() const { return idle_count_; }
  size_t open_count() const { return connections_.size() - spare_.size(); }
  size_t busy_count() const { return open_count() - idle_count_; }
  bool has_connections() const { return busy_count() < limits_.connections_max; }
  const PoolLimits& limits() const { return limits_; }
  const BackendAddresses& addresses() const { return addresses_; }
  // A new connection has brought no answer for kLongWaitMs: one line in kLongWaitPauseS.
  static constexpr uint32_t kLongWaitMs = 2000;
  void note_long_wait();
  // Of the address used first; for messages about this pool.
  const std::string& name() const;

 private:
  friend class BackendConnection;

  Loop& loop() { return home_.loop; }
  Deadlines& deadlines() { return home_.deadlines; }
  std::span<char> read_buffer() { return *read_buffer_; }
  uint32_t preferred_address() const { return preferred_; }
  void prefer_address(const BackendAddresses& of, uint32_t index) {
    if (of == addresses_) preferred_ = index;
  }
  bool knows(const BackendAddress& address) const;
  bool has_room() const { return idle_count_ < limits_.pool_max; }
  void link_idle(BackendConnection& connection);
  void unlink_idle(BackendConnection& connection);
  // A closed connection: the object serves again.
  void recycle(BackendConnection& connection) { spare_.push_back(&connection); }

  const Home home_;
  const std::string host_;
  const uint16_t port_;
  const std::string nowhere_;  // its name while it has no address
  const PoolLimits limits_;
  BackendAddresses addresses_;
  uint32_t preferred_ = 0;
  std::unique_ptr<std::array<char, 64 * 1024>> read_buffer_;     // of the one read at a time
  std::vector<std::unique_ptr<BackendConnection>> connections_;  // objects are kept till the end
  std::vector<BackendConnection*> spare_;
  BackendConnection* idle_first_ = nullptr;  // the one used last
  size_t idle_count_ = 0;
  double long_wait_at_s_ = 0;
};

}  // namespace m2
