// Our own end of the request socket: a PUSH socket of ZMTP 3 with the mechanism NULL. It knows
// which peer got which message, gives the next one to whoever owes least, in turn, and hands back
// what a peer that has gone never had.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/link/drop_counter.h"
#include "worker/link/push_socket.h"
#include "worker/link/zmtp_peer.h"

namespace m2 {

class ZmtpPush final : public PushSocket, ZmtpPeerUser {
 public:
  ZmtpPush(Loop& loop, const PushOptions& options, PushSocketUser& user);
  ~ZmtpPush() override;

  Status adopt(const std::string& endpoint, OwnedFd listening) override;
  Sent send(ConnectionId id, QueuedKind kind, ZmqMessage& message, PeerId likely) override;
  void owes(PeerId peer, int change) override;
  size_t peers() const override { return ready_.size(); }
  size_t unsent() const override;

 private:
  void peer_ready(ZmtpPeer& peer) override;
  void peer_writable(ZmtpPeer& peer) override;
  void peer_ended(ZmtpPeer& peer, std::string_view why) override;
  void on_connection(int);
  bool accept_one();
  bool has_place() const { return ready_.size() + handshaking_.size() < kPeerPlacesMax; }
  void watch();
  void pause(int error);
  void complain(std::string_view who, std::string_view what);
  ZmtpPeer* find(PeerId peer) const;
  size_t choose() const;  // of ready_; its size: nobody has room
  void flush();
  void on_idle() {}

  Loop& loop_;
  const PushOptions options_;
  PushSocketUser& user_;
  OwnedFd listening_;
  IoWatcher connections_;
  TimerWatcher pause_;
  std::vector<std::unique_ptr<ZmtpPeer>> places_;  // by place, from 1 on
  std::vector<ZmtpPeer*> ready_;
  size_t next_ = 0;                    // whose turn it is
  std::deque<ZmtpPeer*> handshaking_;  // connections that are no peers yet, the oldest first
  std::vector<ZmtpPeer*> dirty_;
  // What was sent in one turn leaves together at its end. Idle keeps the loop awake when it was
  // sent at the very end.
  PrepareWatcher end_of_turn_;
  IdleWatcher idle_;
  bool wants_to_send_ = false;
  KindCounter complaints_;
};

}  // namespace m2
