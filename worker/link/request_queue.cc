#include "worker/link/request_queue.h"

#include <algorithm>
#include <utility>

namespace m2 {
namespace {

// How often credits make room for what waits behind them, at most.
constexpr std::chrono::milliseconds kCreditsTurn{100};

}  // namespace

RequestQueue::~RequestQueue() {
  if (gone_ != nullptr) *gone_ = true;
}

bool RequestQueue::submit(ConnectionId id, ZmqMessage& message, QueuedKind kind) {
  if (kind == Kind::kNotice ? has_too_many() : full()) return false;
  if (kind == Kind::kNotice) drop_credits(id);
  send_or_keep(id, message, kind);
  return true;
}

bool RequestQueue::submit_following(ConnectionId id, ZmqMessage& message, QueuedKind kind) {
  return send_or_keep(id, message, kind);
}

PushSocket::Sent RequestQueue::send(ConnectionId id, Kind kind, ZmqMessage& message) {
  if (!user_.may_pass()) return {};
  return push_->send(id, kind, message,
                     is_about_client(kind) ? user_.likely_peer(id) : kUnknownPeer);
}

bool RequestQueue::send_or_keep(ConnectionId id, ZmqMessage& message, Kind kind) {
  if (waiting_.empty()) {
    const PushSocket::Sent sent = send(id, kind, message);
    if (sent.taken) user_.passed({id, kind, nullptr, sent.peer, false});
    if (sent.taken) return true;
  }
  waiting_.push_back({id, kind, nullptr, false, Clock::now() + wait_, std::move(message)});
  add_up(waiting_.back());
  if (!timer_.active()) watch_the_oldest();
  return false;
}

// The oldest expires first, so what comes in front of it must not wait longer.
void RequestQueue::put_back(PushMessage& message, Owed* owed) {
  Clock::time_point until = Clock::now() + wait_;
  if (!waiting_.empty()) until = std::min(until, waiting_.front().until);
  waiting_.push_front({message.id, message.kind, owed, true, until, std::move(message.bytes)});
  add_up(waiting_.front());
  if (!timer_.active()) watch_the_oldest();
}

std::vector<ConnectionId> RequestQueue::put_back_ids() const {
  std::vector<ConnectionId> ids;
  for (const Waiting& waiting : waiting_) {
    if (waiting.again && waiting.kind == Kind::kRequest) ids.push_back(waiting.id);
  }
  return ids;
}

void RequestQueue::add_up(const Waiting& waiting) {
  bytes_ += waiting.bytes;
  if (waiting.kind == Kind::kFollowing) ++following_;
  if (waiting.kind == Kind::kCredits) ++credits_;
}

void RequestQueue::take_off(const Waiting& waiting) {
  bytes_ -= waiting.bytes;
  if (waiting.kind == Kind::kFollowing) --following_;
  if (waiting.kind == Kind::kCredits) --credits_;
}

template <typename Leaves>
void RequestQueue::drop(Leaves leaves) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (!leaves(waiting)) return false;
    take_off(waiting);
    return true;
  });
}

std::string RequestQueue::why_full() const {
  if (has_too_many()) return std::to_string(size()) + " requests wait already (handler.queue)";
  return std::to_string(bytes_) + " bytes of requests wait already (handler.queue_bytes)";
}

void RequestQueue::set_limits(const Limits& limits) {
  limits_ = limits;
  wait_ = std::chrono::milliseconds(limits.wait_ms);
  const Clock::time_point latest = Clock::now() + wait_;
  for (Waiting& waiting : waiting_) waiting.until = std::min(waiting.until, latest);
  watch_the_oldest();  // the timer may run for what has long left
}

bool RequestQueue::owe(Owed& owed, ConnectionId id) {
  if (waiting_.empty()) return false;
  Waiting& last = waiting_.back();
  if (last.id != id || last.kind != Kind::kRequest) return false;
  last.owed = &owed;
  return true;
}

void RequestQueue::forget(const Owed& owed) {
  for (Waiting& waiting : waiting_) {
    if (waiting.owed == &owed) waiting.owed = nullptr;
  }
}

bool RequestQueue::holds(ConnectionId id) const {
  return std::any_of(waiting_.begin(), waiting_.end(), [id](const Waiting& waiting) {
    return waiting.id == id && waiting.kind == Kind::kRequest;
  });
}

bool RequestQueue::withdraw(ConnectionId id) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [id](const Waiting& waiting) {
    return waiting.id == id && waiting.kind == Kind::kRequest;
  });
  if (found == waiting_.end()) return false;
  take_off(*found);
  waiting_.erase(found);
  drop_following(id);
  if (waiting_.empty()) user_.emptied();
  return true;
}

void RequestQueue::drop_following(ConnectionId id) {
  if (following_ == 0) return;
  drop([id](const Waiting& waiting) {
    return waiting.id == id && waiting.kind == Kind::kFollowing;
  });
}

void RequestQueue::drop_credits(ConnectionId id) {
  if (credits_ == 0) return;
  drop([this, id](const Waiting& waiting) {
    const bool is_void = waiting.id == id && waiting.kind == Kind::kCredits;
    if (is_void) user_.credits_void(id, waiting.again);
    return is_void;
  });
}

void RequestQueue::flush() {
  if (waiting_.empty()) return;
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    const PushSocket::Sent sent = send(first.id, first.kind, first.message);
    if (!sent.taken) break;
    take_off(first);
    user_.passed({first.id, first.kind, first.owed, sent.peer, first.again});
    waiting_.pop_front();
  }
  if (waiting_.empty()) user_.emptied();
}

void RequestQueue::expire() {
  bool gone = false;
  gone_ = &gone;
  const Clock::time_point now = Clock::now();
  while (!waiting_.empty() && waiting_.front().until <= now) {
    Waiting late = std::move(waiting_.front());
    waiting_.pop_front();
    if (late.kind == Kind::kCredits) {  // to the end of the queue
      late.until = now + std::max(wait_, kCreditsTurn);
      waiting_.push_back(std::move(late));
      continue;
    }
    take_off(late);
    // A stream with a gap is worth nothing: what comes behind goes with it.
    if (late.kind != Kind::kNotice) drop_following(late.id);
    user_.expired(late.id, late.kind == Kind::kNotice, late.again);
    if (gone) return;
  }
  gone_ = nullptr;
  if (waiting_.empty()) user_.emptied();
  watch_the_oldest();
}

// The oldest is the first to expire, since none may wait longer than one that comes later. A timer
// that finds nothing to do costs less than moving it with every message.
void RequestQueue::watch_the_oldest() {
  timer_.stop();
  if (waiting_.empty()) return;
  const std::chrono::duration<double> left = waiting_.front().until - Clock::now();
  timer_.start<&RequestQueue::expire>(loop_, std::max(left.count(), 0.0), 0.0, this);
}

}  // namespace m2
