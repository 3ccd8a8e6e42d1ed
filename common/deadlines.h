// One timer for very many deadlines: a hashed wheel with a resolution of 100 ms. Moving a deadline
// later, which every request does, writes one number; the wheel looks at it when the old slot comes
// round. Owned by one process's loop; a Deadline is a base or member of the object it wakes.
#pragma once

#include <array>
#include <cstdint>

#include "common/loop.h"

namespace m2 {

class Deadline {
 public:
  Deadline() = default;
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  // May destroy the object. Called once per set(), at most 300 ms late.
  virtual void deadline_passed() = 0;

 protected:
  virtual ~Deadline() { unlink(); }

 private:
  friend class Deadlines;
  void unlink();

  Deadline* next_ = nullptr;  // circular list of one slot; null: not on the wheel
  Deadline* previous_ = nullptr;
  uint64_t due_tick_ = 0;  // 0: none, though it may still stand on the wheel
};

class Deadlines {
 public:
  explicit Deadlines(Loop& loop);

  // Replaces an earlier deadline of the same object. The object must outlive it or be destroyed.
  void set(Deadline& deadline, uint64_t after_ms);
  void clear(Deadline& deadline) { deadline.due_tick_ = 0; }
  // A clock that nobody steps; good for differences alone.
  static double seconds();

 private:
  static constexpr unsigned kTickMs = 100;
  static constexpr unsigned kSlots = 1024;
  struct Head final : Deadline {
    void deadline_passed() override {}
  };

  static uint64_t tick_now();
  void link(Deadline& deadline, uint64_t tick);
  void advance();

  uint64_t tick_;  // the last one looked at
  TimerWatcher timer_;
  std::array<Head, kSlots> slots_;
};

}  // namespace m2
