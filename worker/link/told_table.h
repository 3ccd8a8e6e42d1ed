// Which connections handlers were told of, in memory that outlives the worker: the master keeps it
// for the worker that comes next, which tells the handlers of those that ended with this one. For
// pairs without a relay, which does the same behind it. 21 to 43 bytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/owned_fd.h"
#include "proto/handler/connection_id.h"

namespace m2 {

class ToldTable {
 public:
  struct Entry {
    ConnectionId id;  // 0: free
    uint64_t pair;    // what the pair is known by, in the next worker too
  };

  // memory: kToldMemoryBytes (common/treaty/child.h) that only this worker uses now. Without it the
  // table remembers nothing.
  explicit ToldTable(const OwnedFd& memory);
  ~ToldTable();
  ToldTable(const ToldTable&) = delete;
  ToldTable& operator=(const ToldTable&) = delete;

  // What the worker before left behind. Empties the table; one that was being written when that
  // worker died may be there twice.
  std::vector<Entry> take();
  // Nothing happens when it is there already, or when the table is full.
  void insert(Entry entry);
  void erase(Entry entry);
  // All of this pair.
  void erase_pair(uint64_t pair);
  size_t size() const { return size_; }

 private:
  struct Head;
  size_t places() const;
  Entry* area(unsigned number) const;
  Entry* entries() const;
  size_t find(Entry entry) const;
  void rebuild(unsigned bits);

  Head* head_ = nullptr;  // the memory; null: none
  size_t size_ = 0;
};

}  // namespace m2
