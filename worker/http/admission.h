// Who may come in: clients counted by their address, and the log lines of those who may not, so
// that an attack is seen in the log and does not fill it. One for each worker; counts are its own.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "common/deadlines.h"
#include "worker/http/limited_log.h"

namespace m2 {

// How many connections, or requests through trusted proxies, each address has here.
class AddressCounts {
 public:
  AddressCounts();
  // One more for this client_key(). False, and nothing is counted: it has most already.
  bool enter(uint64_t key, uint32_t most);
  void leave(uint64_t key);
  size_t size() const { return counts_.size(); }

 private:
  // Seeded: clients choose their IPv6 networks, and must not choose where they collide.
  struct Hash {
    uint64_t seed;
    size_t operator()(uint64_t key) const;
  };
  std::unordered_map<uint64_t, uint32_t, Hash> counts_;
};

struct Admission {
  static constexpr LimitedLog::Bound kOneASecond{LogLevel::kWarn, 1};

  explicit Admission(Deadlines& deadlines)
      : full_addresses(deadlines, "full addresses", kOneASecond),
        strangers(deadlines, "peers that are not trusted", kOneASecond),
        bad_headers(deadlines, "missing PROXY headers", kOneASecond) {}

  AddressCounts counts;
  LimitedLog full_addresses;
  LimitedLog strangers;    // not trusted to send a PROXY header
  LimitedLog bad_headers;  // trusted, but no header, or not in time
};

}  // namespace m2
