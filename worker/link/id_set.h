// A set of connection ids at 11 to 21 bytes each: which connections the handlers of a pair were
// told of, so that they can be told when the worker that held them is dead; and which handler
// knows each best. Open addressing in one array.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/handler/connection_id.h"
#include "worker/link/peer_id.h"

namespace m2 {

class IdSet {
 public:
  explicit IdSet(size_t ids_max) : ids_max_(ids_max) {}

  // id: not 0. peer: who knows it now. False: the set holds ids_max already, and not this one.
  bool insert(ConnectionId id, PeerId peer = kUnknownPeer);
  void erase(ConnectionId id);
  bool contains(ConnectionId id) const { return find_entry(id) != 0; }
  template <typename Visit>
  void each(Visit visit) const {
    for (const uint64_t entry : places_) {
      if (entry != 0) visit(id_of(entry));
    }
  }
  // The place of the peer that was named last for this id; another peer may have it by now.
  PeerId peer_place(ConnectionId id) const {
    return static_cast<PeerId>(find_entry(id) >> kIdBits);
  }
  // Those whose peer had this place.
  std::vector<ConnectionId> known_at(PeerId place) const;
  // Both have the same ids_max.
  void swap(IdSet& other);
  size_t size() const { return size_; }
  // Empties the set.
  std::vector<ConnectionId> take();

 private:
  static constexpr size_t kLeast = 64;  // places; always a power of two
  // An id has at most 53 bits (docs/handler-protocol.md); the place of its peer is above.
  static constexpr unsigned kIdBits = 64 - kPeerPlaceBits;
  static constexpr uint64_t id_of(uint64_t entry) { return entry & ((uint64_t{1} << kIdBits) - 1); }
  uint64_t find_entry(ConnectionId id) const { return places_.empty() ? 0 : places_[find(id)]; }
  size_t home(ConnectionId id) const;
  size_t find(ConnectionId id) const;  // where it is, or the free place where it belongs
  void resize(size_t places);

  const size_t ids_max_;
  std::vector<uint64_t> places_;  // id and place of the peer; 0: free
  size_t size_ = 0;
};

}  // namespace m2
