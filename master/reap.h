// What the death of a child means: the reason in words, when the next one may start, and numbers
// that no child ever had before. No I/O.
#pragma once

#include <cstdint>
#include <string>

namespace m2 {

// "killed by signal 9 (Killed)", "exited with status 1"; status as from waitpid.
std::string exit_reason(int wait_status);

// One for each place a child can have. A child that had served is replaced at once; one that died
// at birth, or right after it, waits longer each time, so that a crash loop costs nothing.
class RestartDelay {
 public:
  // served_s: how long the dead one had served; 0: never.
  unsigned next_ms(double served_s);

 private:
  unsigned last_ms_ = 0;
};

// Incarnations: milliseconds since 2020, made unique. Connection ids begin there (64 a
// millisecond), so a child born in the same second as its predecessor begins a whole second later.
class Incarnations {
 public:
  uint64_t next(uint64_t unix_ms);
  uint64_t latest() const { return last_; }
  void begin_after(uint64_t last) { last_ = last; }

 private:
  uint64_t last_ = 0;
};

}  // namespace m2
