#include "worker/link/id_set.h"

#include <bit>
#include <utility>

namespace m2 {

// Ids of one worker are consecutive numbers: the multiplication spreads them over the high bits.
size_t IdSet::home(ConnectionId id) const {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
  return static_cast<size_t>((id * kGolden) >> (64 - std::countr_zero(places_.size())));
}

size_t IdSet::find(ConnectionId id) const {
  size_t place = home(id);
  while (places_[place] != 0 && id_of(places_[place]) != id)
    place = (place + 1) & (places_.size() - 1);
  return place;
}

bool IdSet::insert(ConnectionId id, PeerId peer) {
  const uint64_t entry = id | uint64_t{place_of(peer)} << kIdBits;
  if (places_.empty()) resize(kLeast);
  size_t place = find(id);
  if (places_[place] != 0) {
    places_[place] = entry;
    return true;
  }
  if (size_ >= ids_max_) return false;
  if ((size_ + 1) * 4 > places_.size() * 3) {
    resize(places_.size() * 2);
    place = find(id);
  }
  places_[place] = entry;
  ++size_;
  return true;
}

void IdSet::erase(ConnectionId id) {
  if (places_.empty()) return;
  size_t hole = find(id);
  if (places_[hole] == 0) return;
  places_[hole] = 0;
  --size_;
  // Those behind the hole that could not stand nearer to their home move up.
  const size_t mask = places_.size() - 1;
  for (size_t place = (hole + 1) & mask; places_[place] != 0; place = (place + 1) & mask) {
    const size_t wanted = home(id_of(places_[place]));
    if (((place - wanted) & mask) < ((place - hole) & mask)) continue;
    places_[hole] = std::exchange(places_[place], 0);
    hole = place;
  }
  if (places_.size() > kLeast && size_ * 8 < places_.size()) resize(places_.size() / 2);
}

std::vector<ConnectionId> IdSet::take() {
  std::vector<ConnectionId> ids;
  ids.reserve(size_);
  for (const uint64_t entry : places_) {
    if (entry != 0) ids.push_back(id_of(entry));
  }
  places_ = {};
  size_ = 0;
  return ids;
}

std::vector<ConnectionId> IdSet::known_at(PeerId place) const {
  std::vector<ConnectionId> ids;
  for (const uint64_t entry : places_) {
    if (entry != 0 && entry >> kIdBits == place) ids.push_back(id_of(entry));
  }
  return ids;
}

void IdSet::swap(IdSet& other) {
  places_.swap(other.places_);
  std::swap(size_, other.size_);
}

void IdSet::resize(size_t places) {
  const std::vector<uint64_t> old = std::exchange(places_, std::vector<uint64_t>(places));
  for (const uint64_t entry : old) {
    if (entry != 0) places_[find(id_of(entry))] = entry;
  }
}

}  // namespace m2
