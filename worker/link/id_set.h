// A set of connection ids at 11 to 21 bytes each: which connections the handlers of a pair were
// told of, so that they can be told when the worker that held them is dead. Open addressing in one
// array.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/handler/connection_id.h"

namespace m2 {

class IdSet {
 public:
  explicit IdSet(size_t ids_max) : ids_max_(ids_max) {}

  // id: not 0. False: the set holds ids_max already, and not this one.
  bool insert(ConnectionId id);
  void erase(ConnectionId id);
  bool contains(ConnectionId id) const { return !places_.empty() && places_[find(id)] == id; }
  template <typename Visit>
  void each(Visit visit) const {
    for (const ConnectionId id : places_) {
      if (id != 0) visit(id);
    }
  }
  // Both have the same ids_max.
  void swap(IdSet& other);
  size_t size() const { return size_; }
  // Empties the set.
  std::vector<ConnectionId> take();

 private:
  static constexpr size_t kLeast = 64;  // places; always a power of two
  size_t home(ConnectionId id) const;
  size_t find(ConnectionId id) const;  // where it is, or the free place where it belongs
  void resize(size_t places);

  const size_t ids_max_;
  std::vector<ConnectionId> places_;  // 0: free
  size_t size_ = 0;
};

}  // namespace m2
