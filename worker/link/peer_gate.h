// The gate of a handler pair: requests may pass while a handler is connected, and heard, on both of
// its sockets. Used by whoever owns the public sockets: a handler link without a relay, or the
// relay. Cures the slow joiner (docs/relay.md): no answer is lost because it came before our
// subscription.
#pragma once

#include <memory>

#include "common/loop.h"
#include "worker/link/push_socket.h"
#include "worker/link/zmq_monitor.h"

namespace m2 {

class PeerGateUser {
 public:
  // open(), has_peers() or request_peers() is not what it was.
  virtual void gate_changed() = 0;

 protected:
  ~PeerGateUser() = default;
};

class PeerGate final : ZmqMonitorUser {
 public:
  // To be opened before either socket is bound and destroyed before both. The user of requests
  // passes push_peers_changed() on. replies: SUB or PULL; null: there are none.
  static Result<std::unique_ptr<PeerGate>> open(Loop& loop, ZmqContext& context,
                                                PushSocket& requests, ZmqSocket* replies,
                                                PeerGateUser& user);
  void peers_changed() override;

  bool open() const { return open_; }
  bool has_peers() const {
    return requests_seen_ > 0 && (replies_seen_ > 0 || replies_ == nullptr);
  }
  size_t request_peers() const { return requests_seen_; }
  size_t reply_peers() const { return replies_seen_; }

 private:
  PeerGate(Loop& loop, PushSocket& requests, ZmqSocket* replies, PeerGateUser& user)
      : loop_(loop), requests_(requests), replies_(replies), user_(user) {}
  void hold();
  void settled();
  void update(bool peers_changed);
  // How many request sockets have no reply socket to themselves.
  int unpaired() const {
    if (replies_ == nullptr) return 0;
    return static_cast<int>(requests_seen_) - static_cast<int>(replies_seen_);
  }

  // For our subscription to arrive at a peer whose handshake we have just seen; and again for as
  // long as the peer has not read it, where the system tells.
  static constexpr double kSettleS = 0.01;
  // For the reply socket of a handler that shows up with its request socket first.
  static constexpr double kJoinS = 0.2;
  // All that join, one after another, are waited for together.
  static constexpr double kHoldS = 1.0;
  // After a handler that brought no reply socket in time, such handlers are not waited for: one
  // that crashes and returns for ever must not keep its healthy neighbours from working.
  static constexpr double kNoJoinS = 1.0;

  Loop& loop_;
  PushSocket& requests_;
  ZmqSocket* const replies_;
  PeerGateUser& user_;
  std::unique_ptr<ZmqMonitor> reply_monitor_;
  TimerWatcher settling_;
  size_t requests_seen_ = 0;
  size_t replies_seen_ = 0;
  int usual_unpaired_ = 0;   // handlers that share a reply socket, or never have one
  size_t usual_unread_ = 0;  // handlers that hang since they connected: nobody waits for them again
  double held_since_ = 0;
  double no_join_until_ = 0;
  bool open_ = false;
};

}  // namespace m2
