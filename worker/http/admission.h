// Who may come in: clients counted by their address, and the log lines of those who may not, so
// that an attack is seen in the log and does not fill it. One for each worker; counts are its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/log.h"

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

// At most one line a second for one cause; it says how many others were left out since the last.
class LimitedLog {
 public:
  explicit LimitedLog(LogLevel level = LogLevel::kWarn) : level_(level) {}
  void write(double now_s, const std::string& text);  // now_s: of the loop

 private:
  const LogLevel level_;
  double last_s_ = -1;
  uint64_t left_out_ = 0;
};

struct Admission {
  AddressCounts counts;
  LimitedLog full_addresses;
  LimitedLog strangers;    // not trusted to send a PROXY header
  LimitedLog bad_headers;  // trusted, but no header, or not in time
};

}  // namespace m2
