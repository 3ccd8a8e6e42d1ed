#include "worker/http/connection_table.h"

#include "common/check.h"

namespace m2 {
namespace {

constexpr unsigned kFirstBits = 8;

}  // namespace

ConnectionTable::ConnectionTable() : entries_(1u << kFirstBits), shift_(64 - kFirstBits) {}

void ConnectionTable::insert(ConnectionId id, Connection* connection) {
  CHECK(id != 0);
  if ((size_ + 1) * 2 > entries_.size()) grow();
  const size_t mask = entries_.size() - 1;
  size_t at = home(id);
  while (entries_[at].id != 0) at = (at + 1) & mask;
  entries_[at] = {id, connection};
  ++size_;
}

Connection* ConnectionTable::find(ConnectionId id) const {
  const size_t mask = entries_.size() - 1;
  for (size_t at = home(id); entries_[at].id != 0; at = (at + 1) & mask) {
    if (entries_[at].id == id) return entries_[at].connection;
  }
  return nullptr;
}

void ConnectionTable::erase(ConnectionId id) {
  const size_t mask = entries_.size() - 1;
  size_t at = home(id);
  while (entries_[at].id != id) {
    if (entries_[at].id == 0) return;
    at = (at + 1) & mask;
  }
  // Move later entries of the same run back, so that no look-up ends too early.
  size_t hole = at;
  for (size_t next = (at + 1) & mask; entries_[next].id != 0; next = (next + 1) & mask) {
    const size_t wanted = home(entries_[next].id);
    if (((next - wanted) & mask) >= ((next - hole) & mask)) {
      entries_[hole] = entries_[next];
      hole = next;
    }
  }
  entries_[hole] = {0, nullptr};
  --size_;
}

void ConnectionTable::grow() {
  std::vector<Entry> old(entries_.size() * 2);
  old.swap(entries_);
  --shift_;
  size_ = 0;
  for (const Entry& entry : old) {
    if (entry.id != 0) insert(entry.id, entry.connection);
  }
}

}  // namespace m2
