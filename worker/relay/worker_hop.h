// The way from the relay to one worker, for one handler pair: a PUSH socket connected to the
// worker's reply endpoint and a bounded queue in front of it. Nothing is dropped on it unless the
// worker takes nothing for kStallS. Also knows which connections of the worker the pair's handlers
// were told of.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "worker/link/drop_counter.h"
#include "worker/link/id_set.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

struct WorkerName {
  unsigned slot = 0;
  uint64_t incarnation = 0;
  bool operator==(const WorkerName&) const = default;
};

class WorkerHopUser {
 public:
  // crowded() is false again.
  virtual void hop_relieved() = 0;

 protected:
  ~WorkerHopUser() = default;
};

class WorkerHop final : ZmqSocketUser {
 public:
  static constexpr double kStallS = 10.0;
  // pair: for the log. replies_endpoint: where the worker listens for replies.
  static Result<std::unique_ptr<WorkerHop>> open(Loop& loop, ZmqContext& context, WorkerName worker,
                                                 const std::string& pair,
                                                 const std::string& replies_endpoint,
                                                 WorkerHopUser& user, double stall_s = kStallS);

  // Takes the message, now or later.
  void send(ZmqMessage message);
  // The same for a word of the relay itself (relay_words.h).
  void say(std::string_view word) { send(ZmqMessage(word.data(), word.size())); }
  // So much waits here that what feeds it should not be read for a while.
  bool crowded() const {
    return !dropping_ && (queue_.size() >= kQueueMessagesMax || queue_bytes_ >= kQueueBytesMax);
  }

  // The worker's end is there, or replies wait for it.
  bool connected() const;

  WorkerName worker() const { return worker_; }
  ConnectionId first_id() const { return first_connection_id(worker_.slot, worker_.incarnation); }
  // Whether it can have given out this id.
  bool may_own(ConnectionId id) const {
    return may_have_given(first_id(), id, tick_at(loop_.since_epoch()));
  }
  IdSet& told() { return told_; }
  // Counts its messages: come in here, and gone from here. In the worker's own numbers from its
  // first word on (relay_words.h).
  void received() { ++received_; }
  void consumed() { ++consumed_; }
  void introduced(uint64_t number);
  // It has said that it waits for nothing any more (relay_words.h).
  void settle() { settled_ = true; }
  bool settled() const { return settled_; }
  // Tells the worker, if it does not know already.
  void say_consumed();
  size_t waiting() const { return queue_.size(); }
  uint64_t dropped() const { return dropped_.total(); }

 private:
  // What one worker may have unread before its neighbours' replies wait as well (for kStallS at
  // most).
  static constexpr size_t kQueueMessagesMax = 4096;
  static constexpr size_t kQueueBytesMax = 64 << 20;
  static constexpr int kSendMark = 64;
  // 16 MB for the worker that has this many clients at once, all known to handlers.
  static constexpr size_t kToldMax = 1 << 20;

  WorkerHop(Loop& loop, WorkerName worker, std::string pair, WorkerHopUser& user, double stall_s)
      : loop_(loop), worker_(worker), pair_(std::move(pair)), user_(user), stall_s_(stall_s) {}
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>&, bool) override {}
  void zmq_writable(ZmqSocket&) override;
  void stalled();

  Loop& loop_;
  const WorkerName worker_;
  const std::string pair_;
  WorkerHopUser& user_;
  const double stall_s_;
  std::unique_ptr<ZmqSocket> socket_;
  std::deque<ZmqMessage> queue_;
  size_t queue_bytes_ = 0;
  bool dropping_ = false;  // it takes nothing, so replies to it do not wait any more
  TimerWatcher stall_;     // runs while the hop is crowded
  IdSet told_{kToldMax};
  bool introduced_ = false;
  bool settled_ = false;
  uint64_t received_ = 0;
  uint64_t consumed_ = 0;
  uint64_t said_ = 0;
  DropCounter dropped_;
};

}  // namespace m2
