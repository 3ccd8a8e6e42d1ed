#include "worker/http/admission.h"

#include <sys/random.h>

namespace m2 {
namespace {

uint64_t random_seed() {
  uint64_t seed = 0;
  // Without entropy the address of a function has to do: it differs from start to start.
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
    seed = reinterpret_cast<uintptr_t>(&::getrandom);
  }
  return seed;
}

}  // namespace

AddressCounts::AddressCounts() : counts_(0, Hash{random_seed()}) {}

// The finalizer of splitmix64: every bit of the key reaches every bit of the hash.
size_t AddressCounts::Hash::operator()(uint64_t key) const {
  key ^= seed;
  key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9u;
  key = (key ^ key >> 27) * 0x94D049BB133111EBu;
  return key ^ key >> 31;
}

bool AddressCounts::enter(uint64_t key, uint32_t most) {
  uint32_t& count = counts_[key];
  if (count >= most) return false;  // most is never 0, so the entry is not new
  ++count;
  return true;
}

void AddressCounts::leave(uint64_t key) {
  const auto found = counts_.find(key);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

}  // namespace m2
