#include "worker/link/peer_gate.h"

#include <algorithm>
#include <utility>

namespace m2 {

Result<std::unique_ptr<PeerGate>> PeerGate::open(Loop& loop, ZmqContext& context,
                                                 PushSocket& requests, ZmqSocket* replies,
                                                 PeerGateUser& user) {
  std::unique_ptr<PeerGate> self(new PeerGate(loop, requests, replies, user));
  if (replies == nullptr) return self;
  auto reply_monitor = ZmqMonitor::open(loop, context, *replies, *self);
  if (!reply_monitor.ok()) return std::move(reply_monitor).status();
  self->reply_monitor_ = std::move(reply_monitor).value();
  return self;
}

void PeerGate::peers_changed() {
  // First of all: this is what sends our subscription to a new peer.
  if (replies_ != nullptr) replies_->service();
  requests_.service();
  const size_t requests = requests_.peers();
  const size_t replies = reply_monitor_ ? reply_monitor_->peers() : 0;
  const bool joined = requests > requests_seen_ || replies > replies_seen_;
  const bool had_peers = has_peers();
  const bool others = requests != requests_seen_;
  requests_seen_ = requests;
  replies_seen_ = replies;
  usual_unpaired_ = std::clamp(unpaired(), 0, usual_unpaired_);
  if (joined) hold();
  update(had_peers != has_peers() || others);
}

void PeerGate::hold() {
  const double now = loop_.now();
  const bool paired = unpaired() <= usual_unpaired_;
  if (!paired && now < no_join_until_) return;
  if (!settling_.active()) held_since_ = now;
  const double left = std::max(0.0, held_since_ + kHoldS - now);
  settling_.start<&PeerGate::settled>(loop_, std::min(left, paired ? kSettleS : kJoinS), 0.0, this);
}

void PeerGate::settled() {
  const double left = held_since_ + kHoldS - loop_.now();
  const size_t unread = reply_monitor_ ? reply_monitor_->unread() : 0;
  if (left > 0 && unread > usual_unread_) {
    settling_.start<&PeerGate::settled>(loop_, std::min(left, kSettleS), 0.0, this);
    return;
  }
  usual_unread_ = unread;
  if (unpaired() > usual_unpaired_) {
    usual_unpaired_ = unpaired();
    no_join_until_ = loop_.now() + kNoJoinS;
  }
  update(false);
}

void PeerGate::update(bool peers_changed) {
  const bool open = has_peers() && !settling_.active();
  const bool changed = open != open_ || peers_changed;
  open_ = open;
  if (changed) user_.gate_changed();
}

}  // namespace m2
