// Addresses of a backend and the list of its idle connections. Nothing here reads or writes a
// socket.
#include "worker/target/backend_pool.h"

#include <netdb.h>

#include <cstring>

#include "common/check.h"

namespace m2 {
namespace {

BackendAddress make_address(const ProxyRow& row, const std::string& numeric) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // Numeric: nothing is looked up. The config reader has resolved and checked the row.
  CHECK(::getaddrinfo(numeric.c_str(), std::to_string(row.port).c_str(), &hints, &found) == 0);
  BackendAddress address;
  std::memcpy(&address.socket_address, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  const bool v6 = found->ai_family == AF_INET6;
  ::freeaddrinfo(found);
  address.name = "backend " + (v6 ? "[" + numeric + "]" : numeric) + ":" + std::to_string(row.port);
  if (row.addr != numeric) address.name += " of " + row.addr;
  return address;
}

}  // namespace

BackendPool::BackendPool(Loop& loop, Deadlines& deadlines, const ProxyRow& row,
                         const ProxyLimits& limits)
    : loop_(loop),
      deadlines_(deadlines),
      limits_(limits),
      read_buffer_(std::make_unique_for_overwrite<std::array<char, 64 * 1024>>()) {
  CHECK(!row.addresses.empty());
  for (const std::string& numeric : row.addresses) {
    addresses_.push_back(make_address(row, numeric));
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
  if (open_count() >= limits_.connections_max) {
    end = {BackendEnd::Cause::kExhausted, false,
           name() + ": all " + std::to_string(limits_.connections_max) +
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
