// The bounded queue in front of a PUSH socket: what cannot leave now waits here, in order, limited
// in number and in time, where it is seen and can be refused; not in libzmq, where it cannot. Used
// by handler links (in a worker) and by handler pairs (in the relay).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "common/loop.h"
#include "proto/handler/connection_id.h"
#include "worker/link/ledger.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

// Credits tell how much of an answer has left: they do not expire, since a handler that hung for a
// while would wait for them for ever; the notice that their client has left makes them void.
enum class QueuedKind : uint8_t { kRequest, kFollowing, kCredits, kNotice };

class RequestQueueUser {
 public:
  virtual bool may_pass() const = 0;
  // libzmq has taken it. owed: as told to owe().
  virtual void passed(ConnectionId, QueuedKind, Owed* /*owed*/) {}
  // Credits that waited are void: the notice of their client came.
  virtual void credits_void(ConnectionId) {}
  // Nothing waits any more.
  virtual void emptied() {}
  // It waited for too long and is dropped. The queue may be destroyed in the call.
  virtual void expired(ConnectionId id, bool notice) = 0;

 protected:
  ~RequestQueueUser() = default;
};

class RequestQueue {
 public:
  // All outlive the queue. count_max: requests and notices that may wait. wait_ms: for how long.
  RequestQueue(Loop& loop, ZmqSocket& push, uint32_t count_max, uint32_t wait_ms,
               RequestQueueUser& user)
      : loop_(loop), push_(&push), user_(user), count_max_(count_max), wait_(wait_ms) {}
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  // Sends the message or keeps it. False: the queue is full, the message untouched.
  bool submit(ConnectionId id, ZmqMessage& message, QueuedKind kind);
  // Who waits for the request that was submitted last, if that is still here. False: it has left.
  bool owe(Owed& owed, ConnectionId id);
  // It must not be told of any more.
  void forget(const Owed& owed);
  // The same for what follows a request of its connection: a message of a WebSocket. True: sent,
  // not kept. Only while there is room (crowded()), so that it is never refused.
  bool submit_following(ConnectionId id, ZmqMessage& message,
                        QueuedKind kind = QueuedKind::kFollowing);
  // A request of this connection waits here.
  bool holds(ConnectionId id) const;
  // Takes a waiting request back, with what follows it. False: there is none of this connection.
  bool withdraw(ConnectionId id);
  // A longer wait is for what is submitted from now on; a shorter one begins now for all.
  void set_limits(uint32_t count_max, uint32_t wait_ms);
  // Another socket takes its place from now on.
  void use(ZmqSocket& push) { push_ = &push; }
  // Sends what may go: call it when may_pass() has become true and from zmq_writable.
  void flush();

  size_t size() const { return waiting_.size(); }
  bool full() const { return waiting_.size() >= count_max_; }
  // No room for what can wait elsewhere: the second half is for requests and notices.
  bool crowded() const { return 2 * waiting_.size() >= count_max_; }
  int64_t wait_ms() const { return wait_.count(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Kind = QueuedKind;
  struct Waiting {
    ConnectionId id;
    Kind kind;
    Owed* owed;
    Clock::time_point until;
    ZmqMessage message;
  };
  bool send_or_keep(ConnectionId id, ZmqMessage& message, Kind kind);
  void drop_following(ConnectionId id);
  void drop_credits(ConnectionId id);
  void expire();
  void watch_the_oldest();

  Loop& loop_;
  ZmqSocket* push_;
  RequestQueueUser& user_;
  uint32_t count_max_;
  std::chrono::milliseconds wait_;
  std::deque<Waiting> waiting_;
  size_t following_ = 0;  // of them
  size_t credits_ = 0;    // of them
  TimerWatcher timer_;    // runs only while something waits
  bool* gone_ = nullptr;
};

}  // namespace m2
