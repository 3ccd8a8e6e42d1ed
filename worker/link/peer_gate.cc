#include "worker/link/peer_gate.h"

#include <utility>

namespace m2 {

Result<std::unique_ptr<PeerGate>> PeerGate::open(Loop& loop, ZmqContext& context,
                                                 ZmqSocket& requests, ZmqSocket& replies,
                                                 PeerGateUser& user) {
  std::unique_ptr<PeerGate> self(new PeerGate(loop, requests, replies, user));
  auto request_monitor = ZmqMonitor::open(loop, context, requests, *self);
  if (!request_monitor.ok()) return std::move(request_monitor).status();
  auto reply_monitor = ZmqMonitor::open(loop, context, replies, *self);
  if (!reply_monitor.ok()) return std::move(reply_monitor).status();
  self->request_monitor_ = std::move(request_monitor).value();
  self->reply_monitor_ = std::move(reply_monitor).value();
  return self;
}

void PeerGate::peers_changed() {
  // First of all: this is what sends our subscription to a new peer.
  replies_.service();
  requests_.service();
  const size_t requests = request_monitor_->peers();
  const size_t replies = reply_monitor_->peers();
  const bool joined = requests > requests_seen_ || replies > replies_seen_;
  const bool had_peers = has_peers();
  requests_seen_ = requests;
  replies_seen_ = replies;
  if (joined) hold();
  update(had_peers != has_peers());
}

void PeerGate::hold() {
  const bool paired = requests_seen_ <= replies_seen_;
  if (!settling_.active()) {
    if (open_ && loop_.now() - held_at_ < kBetweenHoldsS) return;
    if (open_) held_at_ = loop_.now();
  } else if (!paired) {
    return;  // one wait for all who come meanwhile
  }
  settling_.start<&PeerGate::settled>(loop_, paired ? kSettleS : kJoinS, 0.0, this);
}

void PeerGate::update(bool peers_changed) {
  const bool open = has_peers() && !settling_.active();
  const bool changed = open != open_ || peers_changed;
  open_ = open;
  if (changed) user_.gate_changed();
}

}  // namespace m2
