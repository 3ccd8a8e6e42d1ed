#include "worker/link/request_queue.h"

#include <algorithm>
#include <utility>

namespace m2 {

RequestQueue::~RequestQueue() {
  if (gone_ != nullptr) *gone_ = true;
}

bool RequestQueue::submit(ConnectionId id, ZmqMessage& message, bool notice) {
  if (waiting_.empty() && user_.may_pass() && push_->send(message)) {
    user_.passed(id, notice, nullptr);
    return true;
  }
  if (full()) return false;
  waiting_.push_back({id, notice, nullptr, Clock::now() + wait_, std::move(message)});
  if (!timer_.active()) watch_the_oldest();
  return true;
}

bool RequestQueue::owe(Owed& owed, ConnectionId id) {
  if (waiting_.empty() || waiting_.back().id != id || waiting_.back().notice) return false;
  waiting_.back().owed = &owed;
  return true;
}

void RequestQueue::forget(const Owed& owed) {
  for (Waiting& waiting : waiting_) {
    if (waiting.owed == &owed) waiting.owed = nullptr;
  }
}

bool RequestQueue::holds(ConnectionId id) const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [id](const Waiting& waiting) { return waiting.id == id && !waiting.notice; });
}

bool RequestQueue::withdraw(ConnectionId id) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [id](const Waiting& waiting) {
    return waiting.id == id && !waiting.notice;
  });
  if (found == waiting_.end()) return false;
  waiting_.erase(found);
  return true;
}

void RequestQueue::flush() {
  while (!waiting_.empty() && user_.may_pass() && push_->send(waiting_.front().message)) {
    const Waiting& sent = waiting_.front();
    user_.passed(sent.id, sent.notice, sent.owed);
    waiting_.pop_front();
  }
}

void RequestQueue::expire() {
  bool gone = false;
  gone_ = &gone;
  const Clock::time_point now = Clock::now();
  while (!waiting_.empty() && waiting_.front().until <= now) {
    const Waiting late = std::move(waiting_.front());
    waiting_.pop_front();
    user_.expired(late.id, late.notice);
    if (gone) return;
  }
  gone_ = nullptr;
  watch_the_oldest();
}

// The oldest is the first to expire, since all may wait equally long (after a change of the limits:
// nearly all). A timer that finds nothing to do costs less than moving it with every message.
void RequestQueue::watch_the_oldest() {
  timer_.stop();
  if (waiting_.empty()) return;
  const std::chrono::duration<double> left = waiting_.front().until - Clock::now();
  timer_.start<&RequestQueue::expire>(loop_, std::max(left.count(), 0.0), 0.0, this);
}

}  // namespace m2
