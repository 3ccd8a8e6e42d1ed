#include "common/deadlines.h"

#include <ctime>

namespace m2 {

void Deadline::unlink() {
  if (next_ == nullptr) return;
  next_->previous_ = previous_;
  previous_->next_ = next_;
  next_ = previous_ = nullptr;
}

// Steps of the wall clock must not touch deadlines.
uint64_t Deadlines::tick_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * (1000 / kTickMs) +
         static_cast<uint64_t>(now.tv_nsec) / (kTickMs * 1'000'000);
}

double Deadlines::seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Deadlines::Deadlines(Loop& loop) : tick_(tick_now()) {
  for (Head& head : slots_) head.next_ = head.previous_ = &head;
  timer_.start<&Deadlines::advance>(loop, kTickMs / 1000.0, kTickMs / 1000.0, this);
}

void Deadlines::set(Deadline& deadline, uint64_t after_ms) {
  // Never early: the tick under way has begun already.
  const uint64_t due = tick_now() + (after_ms + kTickMs - 1) / kTickMs + 1;
  // Later than before: the slot it stands in comes round first and moves it on.
  const bool standing_earlier =
      deadline.next_ != nullptr && deadline.due_tick_ != 0 && deadline.due_tick_ <= due;
  deadline.due_tick_ = due;
  if (standing_earlier) return;
  deadline.unlink();
  link(deadline, due);
}

void Deadlines::link(Deadline& deadline, uint64_t tick) {
  Deadline& head = slots_[tick % kSlots];
  deadline.next_ = &head;
  deadline.previous_ = head.previous_;
  head.previous_->next_ = &deadline;
  head.previous_ = &deadline;
}

void Deadlines::advance() {
  const uint64_t now = tick_now();
  // After a long pause (or a step of the clock) one round is enough to see every slot.
  if (now > tick_ + kSlots || now < tick_) tick_ = now < kSlots ? 0 : now - kSlots;
  while (tick_ < now) {
    ++tick_;
    // Take the whole slot first: what is put back meanwhile belongs to a later round.
    Head taken;
    Deadline& slot = slots_[tick_ % kSlots];
    if (slot.next_ == &slot) continue;
    taken.next_ = slot.next_;
    taken.previous_ = slot.previous_;
    taken.next_->previous_ = taken.previous_->next_ = &taken;
    slot.next_ = slot.previous_ = &slot;
    while (taken.next_ != &taken) {
      Deadline& deadline = *taken.next_;
      deadline.unlink();
      if (deadline.due_tick_ == 0) continue;  // cleared
      if (deadline.due_tick_ > now) {
        link(deadline, deadline.due_tick_);
        continue;
      }
      deadline.due_tick_ = 0;
      deadline.deadline_passed();
    }
    taken.next_ = taken.previous_ = nullptr;
  }
}

}  // namespace m2
