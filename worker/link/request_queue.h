// The bounded queue in front of a PUSH socket: what cannot leave now waits here, in order, limited
// in number and in time, where it is seen and can be refused; not in libzmq, where it cannot. Used
// by handler links (in a worker) and by handler pairs (in the relay).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/loop.h"
#include "proto/handler/connection_id.h"
#include "worker/link/ledger.h"
#include "worker/link/push_socket.h"

namespace m2 {

class RequestQueueUser {
 public:
  virtual bool may_pass() const = 0;
  struct Passed {
    ConnectionId id;
    QueuedKind kind;
    Owed* owed;   // as told to owe()
    PeerId peer;  // who has it
    bool again;   // it had passed before, to a peer that never got it
  };
  // The socket has taken it.
  virtual void passed(const Passed&) {}
  // Who knows this connection: its notice goes there.
  virtual PeerId likely_peer(ConnectionId) const { return kUnknownPeer; }
  // Credits that waited are void: the notice of their client came.
  virtual void credits_void(ConnectionId, bool /*again*/) {}
  // Nothing waits any more.
  virtual void emptied() {}
  // It waited for too long and is dropped. The queue may be destroyed in the call.
  virtual void expired(ConnectionId id, bool notice, bool again) = 0;

 protected:
  ~RequestQueueUser() = default;
};

class RequestQueue {
 public:
  struct Limits {
    uint32_t count_max = 1000;      // requests and notices that may wait
    uint64_t bytes_max = 64 << 20;  // with so many none may join them; notices may
    uint32_t wait_ms = 5000;        // for how long
  };
  // All outlive the queue.
  RequestQueue(Loop& loop, PushSocket& push, const Limits& limits, RequestQueueUser& user)
      : loop_(loop), push_(&push), user_(user), limits_(limits), wait_(limits.wait_ms) {}
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
  // It had passed, and comes back: to the front. A client that was told of again: owed.
  void put_back(PushMessage& message, Owed* owed);
  // The connections of requests that were put back and still wait.
  std::vector<ConnectionId> put_back_ids() const;
  // A request of this connection waits here.
  bool holds(ConnectionId id) const;
  // Takes a waiting request back, with what follows it. False: there is none of this connection.
  bool withdraw(ConnectionId id);
  // A longer wait is for what is submitted from now on; a shorter one begins now for all.
  void set_limits(const Limits& limits);
  // Another socket takes its place from now on.
  void use(PushSocket& push) { push_ = &push; }
  // Sends what may go: call it when may_pass() has become true and from push_writable.
  void flush();

  size_t size() const { return waiting_.size(); }
  bool full() const { return has_too_many() || bytes_ >= limits_.bytes_max; }
  // For people, with the setting that bounds it.
  std::string why_full() const;
  // No room for what can wait elsewhere: the second half is for requests and notices.
  bool crowded() const {
    return 2 * waiting_.size() >= limits_.count_max || 2 * bytes_ >= limits_.bytes_max;
  }
  int64_t wait_ms() const { return wait_.count(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Kind = QueuedKind;
  struct Waiting {
    ConnectionId id;
    Kind kind;
    Owed* owed;
    bool again;
    Clock::time_point until;
    ZmqMessage message;
    size_t bytes = message.size();  // it may be gone when it is taken off the count
  };
  bool has_too_many() const { return waiting_.size() >= limits_.count_max; }
  PushSocket::Sent send(ConnectionId id, Kind kind, ZmqMessage& message);
  bool send_or_keep(ConnectionId id, ZmqMessage& message, Kind kind);
  void add_up(const Waiting& waiting);
  void take_off(const Waiting& waiting);
  template <typename Leaves>
  void drop(Leaves leaves);
  void drop_following(ConnectionId id);
  void drop_credits(ConnectionId id);
  void expire();
  void watch_the_oldest();

  Loop& loop_;
  PushSocket* push_;
  RequestQueueUser& user_;
  Limits limits_;
  std::chrono::milliseconds wait_;
  std::deque<Waiting> waiting_;
  uint64_t bytes_ = 0;    // of them
  size_t following_ = 0;  // of them
  size_t credits_ = 0;    // of them
  TimerWatcher timer_;    // runs only while something waits
  bool* gone_ = nullptr;
};

}  // namespace m2
