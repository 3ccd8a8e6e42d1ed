#include "worker/relay/worker_hop.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "worker/link/relay_words.h"

namespace m2 {

Result<std::unique_ptr<WorkerHop>> WorkerHop::open(Loop& loop, ZmqContext& context,
                                                   WorkerName worker, const std::string& pair,
                                                   const std::string& replies_endpoint,
                                                   WorkerHopUser& user, double stall_s) {
  std::unique_ptr<WorkerHop> self(new WorkerHop(loop, worker, pair, user, stall_s));
  ZmqSocketOptions options;
  options.send_mark = kSendMark;
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kPush, options, *self);
  if (!socket.ok()) return std::move(socket).status();
  self->socket_ = std::move(socket).value();
  Status connected = self->socket_->connect(replies_endpoint);
  if (!connected.ok()) return connected;
  return self;
}

void WorkerHop::send(ZmqMessage message) {
  if (queue_.empty() && socket_->send(message)) return;
  const bool word = bytes_of(message).starts_with(kRelayPrefix);
  if (dropping_ && !word) {
    if (dropped_.add()) {
      log_warn("handler pair " + pair_ + ": worker " + std::to_string(worker_.slot) +
               " takes no replies, dropped one of " + std::to_string(message.size()) +
               " bytes (so far: " + std::to_string(dropped_.total()) + ")");
    }
    return;
  }
  queue_bytes_ += message.size();
  queue_.push_back(std::move(message));
  if (crowded() && !stall_.active()) stall_.start<&WorkerHop::stalled>(loop_, stall_s_, 0.0, this);
}

// What is not ours to count: messages that an earlier relay had.
void WorkerHop::introduced(uint64_t number) {
  consumed_ += number - received_;
  received_ = number;
  introduced_ = true;
}

void WorkerHop::say_consumed() {
  if (!introduced_ || consumed_ == said_) return;
  said_ = consumed_;
  say(write_relay_passed(consumed_));
}

bool WorkerHop::connected() const {
  return socket_->writable() || std::any_of(queue_.begin(), queue_.end(), [](const auto& message) {
           return !bytes_of(message).starts_with(kRelayPrefix);
         });
}

void WorkerHop::zmq_writable(ZmqSocket&) {
  const bool was_crowded = crowded();
  dropping_ = false;
  while (!queue_.empty()) {
    const size_t bytes = queue_.front().size();
    if (!socket_->send(queue_.front())) break;
    queue_bytes_ -= bytes;
    queue_.pop_front();
  }
  if (!crowded()) {
    stall_.stop();
    if (was_crowded) user_.hop_relieved();
  } else {
    stall_.start<&WorkerHop::stalled>(loop_, stall_s_, 0.0, this);
  }
}

// Our own words stay: a worker that comes round must know whether handlers are there.
void WorkerHop::stalled() {
  const size_t before = queue_.size();
  std::erase_if(queue_, [](const ZmqMessage& message) {
    return !bytes_of(message).starts_with(kRelayPrefix);
  });
  queue_bytes_ = 0;
  for (const ZmqMessage& message : queue_) queue_bytes_ += message.size();
  for (size_t count = queue_.size(); count < before; ++count) dropped_.add();
  log_error("handler pair " + pair_ + ": worker " + std::to_string(worker_.slot) +
            " took nothing for " + std::to_string(static_cast<int>(stall_s_)) + " s, " +
            std::to_string(before - queue_.size()) + " replies to its clients were dropped");
  dropping_ = true;
  user_.hop_relieved();
}

}  // namespace m2
