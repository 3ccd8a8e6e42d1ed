// All connections of one Proxy in this worker: those in use and, last used first, those that wait
// for the next request. Opens new ones, within a bound; remembers which address works. Called by
// ProxyExchange. Connections close themselves when they have been idle for long.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/deadlines.h"
#include "common/loop.h"
#include "worker/target/backend_connection.h"

namespace m2 {

struct ProxyLimits {
  uint32_t connect_ms = 5000;       // for one address
  uint32_t answer_ms = 60000;       // longest silence of a backend that owes something
  uint32_t idle_ms = 15000;         // an unused connection is closed then
  uint32_t pool_max = 128;          // unused connections
  uint32_t connections_max = 1024;  // connections in all
  uint32_t head_bytes_max = 65536;  // of an answer's head
};

struct BackendAddress {
  sockaddr_storage socket_address{};
  socklen_t length = 0;
  std::string name;  // for logs: "backend 127.0.0.1:80", "backend [::1]:80 of app.local"
};

class BackendPool {
 public:
  enum class Use : uint8_t {
    kIdle,         // an idle connection as it is; the caller can repeat its request
    kCheckedIdle,  // one that was looked at first
    kNew           // a new one only
  };

  // loop and deadlines outlive the pool. row.addresses are numeric (CHECKed).
  BackendPool(Loop& loop, Deadlines& deadlines, const ProxyRow& row, const ProxyLimits& limits);
  BackendPool(const BackendPool&) = delete;
  BackendPool& operator=(const BackendPool&) = delete;

  // An idle connection, or a new one: that still connects, and keeps what is sent meanwhile.
  // nullptr: end says why. The user gives it back with release() or close(), or hears of its end.
  BackendConnection* acquire(BackendUser& user, Use use, BackendEnd& end);

  size_t idle_count() const { return idle_count_; }
  size_t open_count() const { return connections_.size() - spare_.size(); }
  const ProxyLimits& limits() const { return limits_; }
  // Of the address used first; for messages about this pool.
  const std::string& name() const { return addresses_[preferred_].name; }

 private:
  friend class BackendConnection;

  Loop& loop() { return loop_; }
  Deadlines& deadlines() { return deadlines_; }
  std::span<char> read_buffer() { return *read_buffer_; }
  const BackendAddress& address(uint32_t index) const { return addresses_[index]; }
  uint32_t address_count() const { return static_cast<uint32_t>(addresses_.size()); }
  uint32_t preferred_address() const { return preferred_; }
  void prefer_address(uint32_t index) { preferred_ = index; }
  bool has_room() const { return idle_count_ < limits_.pool_max; }
  void link_idle(BackendConnection& connection);
  void unlink_idle(BackendConnection& connection);
  // A closed connection: the object serves again.
  void recycle(BackendConnection& connection) { spare_.push_back(&connection); }

  Loop& loop_;
  Deadlines& deadlines_;
  const ProxyLimits limits_;
  std::vector<BackendAddress> addresses_;
  uint32_t preferred_ = 0;
  std::unique_ptr<std::array<char, 64 * 1024>> read_buffer_;     // of the one read at a time
  std::vector<std::unique_ptr<BackendConnection>> connections_;  // objects are kept till the end
  std::vector<BackendConnection*> spare_;
  BackendConnection* idle_first_ = nullptr;  // the one used last
  size_t idle_count_ = 0;
};

}  // namespace m2
