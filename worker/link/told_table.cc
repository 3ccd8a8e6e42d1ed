// Open addressing in one of two areas: to grow or to shrink, the other one is filled, and then one
// store says which counts. So whenever the worker dies, the table that it leaves is whole.
#include "worker/link/told_table.h"

#include <sys/mman.h>

#include <algorithm>

#include "common/treaty/child.h"

namespace m2 {
namespace {

constexpr unsigned kBitsMin = 8;
constexpr unsigned kBitsMax = 20;
constexpr size_t kAreaBytes = (size_t{1} << kBitsMax) * sizeof(ToldTable::Entry);
constexpr size_t kHeadBytes = 4096;
static_assert(kToldMemoryBytes == kHeadBytes + 2 * kAreaBytes);

bool same(const ToldTable::Entry& one, const ToldTable::Entry& other) {
  return one.id == other.id && one.pair == other.pair;
}

size_t home(const ToldTable::Entry& entry, unsigned bits) {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
  return static_cast<size_t>(((entry.id ^ entry.pair) * kGolden) >> (64 - bits));
}

}  // namespace

struct ToldTable::Head {
  uint32_t bits[2];  // of each area's number of places
  volatile uint32_t active;
};

ToldTable::ToldTable(const OwnedFd& memory) {
  if (!memory.valid()) return;
  void* address =
      ::mmap(nullptr, kToldMemoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (address != MAP_FAILED) head_ = static_cast<Head*>(address);
}

ToldTable::~ToldTable() {
  if (head_ != nullptr) ::munmap(head_, kToldMemoryBytes);
}

size_t ToldTable::places() const { return size_t{1} << head_->bits[head_->active]; }

ToldTable::Entry* ToldTable::area(unsigned number) const {
  return reinterpret_cast<Entry*>(reinterpret_cast<char*>(head_) + kHeadBytes +
                                  number * kAreaBytes);
}

ToldTable::Entry* ToldTable::entries() const { return area(head_->active); }

// A worker that died wrote this: nothing in it is relied on.
std::vector<ToldTable::Entry> ToldTable::take() {
  std::vector<Entry> left;
  if (head_ == nullptr) return left;
  const unsigned active = head_->active;
  const unsigned bits = active > 1 ? 0 : head_->bits[active];
  if (bits >= kBitsMin && bits <= kBitsMax) {
    std::copy_if(area(active), area(active) + (size_t{1} << bits), std::back_inserter(left),
                 [](const Entry& entry) { return entry.id != 0; });
  }
  ::madvise(head_, kToldMemoryBytes, MADV_REMOVE);
  head_->bits[0] = kBitsMin;
  head_->active = 0;
  size_ = 0;
  return left;
}

size_t ToldTable::find(Entry entry) const {
  const Entry* const all = entries();
  const size_t mask = places() - 1;
  size_t place = home(entry, head_->bits[head_->active]);
  while (all[place].id != 0 && !same(all[place], entry)) place = (place + 1) & mask;
  return place;
}

void ToldTable::insert(Entry entry) {
  if (head_ == nullptr) return;
  size_t place = find(entry);
  if (entries()[place].id != 0) return;
  if ((size_ + 1) * 4 > places() * 3) {
    if (head_->bits[head_->active] == kBitsMax) return;
    rebuild(head_->bits[head_->active] + 1);
    place = find(entry);
  }
  entries()[place].pair = entry.pair;
  entries()[place].id = entry.id;
  ++size_;
}

void ToldTable::erase(Entry entry) {
  if (head_ == nullptr || size_ == 0) return;
  const unsigned bits = head_->bits[head_->active];
  Entry* const all = entries();
  size_t hole = find(entry);
  if (all[hole].id == 0) return;
  --size_;
  // Those behind the hole that could not stand nearer to their home move up.
  const size_t mask = places() - 1;
  for (size_t place = (hole + 1) & mask; all[place].id != 0; place = (place + 1) & mask) {
    const size_t wanted = home(all[place], bits);
    if (((place - wanted) & mask) < ((place - hole) & mask)) continue;
    all[hole] = all[place];
    hole = place;
  }
  all[hole].id = 0;
  if (bits > kBitsMin && size_ * 8 < places()) rebuild(bits - 1);
}

void ToldTable::erase_pair(uint64_t pair) {
  if (head_ == nullptr) return;
  std::vector<Entry> all(entries(), entries() + places());
  for (const Entry& entry : all) {
    if (entry.id != 0 && entry.pair == pair) erase(entry);
  }
}

void ToldTable::rebuild(unsigned bits) {
  const unsigned before = head_->active, next = 1 - before;
  const size_t mask = (size_t{1} << bits) - 1;
  Entry* const to = area(next);
  for (size_t from = 0; from < places(); ++from) {
    const Entry& entry = area(before)[from];
    if (entry.id == 0) continue;
    size_t place = home(entry, bits);
    while (to[place].id != 0) place = (place + 1) & mask;
    to[place] = entry;
  }
  head_->bits[next] = bits;
  head_->active = next;
  ::madvise(area(before), kAreaBytes, MADV_REMOVE);  // zeros from here on, and no memory
}

}  // namespace m2
