// Connection ids to connections: an open-addressing table, so that an id costs a few bytes and a
// look-up one or two cache lines. Only clients that a handler was told of have an id.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/handler/connection_id.h"

namespace m2 {

class Connection;

class ConnectionTable {
 public:
  ConnectionTable();
  void insert(ConnectionId id, Connection* connection);
  void erase(ConnectionId id);
  Connection* find(ConnectionId id) const;  // nullptr: not here
  size_t size() const { return size_; }

 private:
  struct Entry {
    ConnectionId id;  // 0: free
    Connection* connection;
  };
  size_t home(ConnectionId id) const { return (id * 0x9E3779B97F4A7C15ull) >> shift_; }
  void grow();

  std::vector<Entry> entries_;
  unsigned shift_;
  size_t size_ = 0;
};

}  // namespace m2
