// Who has more for a handler than its queue takes now, and waits for room there: the WebSocket of a
// client that is not read meanwhile. A list without memory of its own; a waiter may end at any
// time.
#pragma once

namespace m2 {

class RoomWaiter {
 public:
  RoomWaiter() = default;
  RoomWaiter(const RoomWaiter&) = delete;
  RoomWaiter& operator=(const RoomWaiter&) = delete;
  // There is room; it waits no more, and may wait again. May destroy it.
  virtual void room() = 0;

  bool waits_for_room() const { return next_ != nullptr; }
  void wait_no_more() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 protected:
  virtual ~RoomWaiter() { wait_no_more(); }

 private:
  friend class RoomWaiters;
  RoomWaiter* next_ = nullptr;
  RoomWaiter* previous_ = nullptr;
};

class RoomWaiters {
 public:
  RoomWaiters() { head_.next_ = head_.previous_ = &head_; }
  ~RoomWaiters() {
    while (!empty()) head_.next_->wait_no_more();
    head_.next_ = head_.previous_ = nullptr;
  }
  bool empty() const { return head_.next_ == &head_; }
  // At the end; who waits already keeps its place.
  void add(RoomWaiter& waiter) {
    if (waiter.waits_for_room()) return;
    waiter.next_ = &head_;
    waiter.previous_ = head_.previous_;
    waiter.previous_->next_ = head_.previous_ = &waiter;
  }
  // Those that wait now, in turn, while there is room. Who waits again comes behind them.
  template <typename HasRoom>
  void serve(HasRoom&& has_room) {
    Mark last;
    add(last);
    while (last.waits_for_room() && has_room()) {
      RoomWaiter& first = *head_.next_;
      first.wait_no_more();
      first.room();
    }
  }

 private:
  struct Mark final : RoomWaiter {
    void room() override {}
  };
  Mark head_;
};

}  // namespace m2
