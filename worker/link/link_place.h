// Where a handler link is bound: its two sockets and what is known of who is connected to them.
// Owned by HandlerLink, which has a second one for a moment when a reload moves the pair (from or
// to the relay).
#pragma once

#include <memory>
#include <string_view>

#include "worker/link/handler_link.h"
#include "worker/link/peer_gate.h"
#include "worker/link/private_endpoint.h"
#include "worker/link/push_socket.h"
#include "worker/link/zmq_monitor.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

class LinkPlace;

class LinkPlaceUser {
 public:
  // As zmq_message: the place may be destroyed in the call.
  virtual void place_message(LinkPlace& place, std::shared_ptr<ZmqMessage>& message,
                             bool multipart) = 0;
  // may_pass() or has_handlers() may have changed, or there is room to send.
  virtual void place_changed(LinkPlace& place) = 0;
  // A relay has connected.
  virtual void relay_came(LinkPlace& place) = 0;
  // A handler's request socket is gone, and never had unsent.
  virtual void place_peer_gone(LinkPlace& place, PeerId peer, std::vector<PushMessage>& unsent) = 0;
  // The relay that was connected is no more. Its successor may be there already.
  virtual void relay_ended(LinkPlace& place) = 0;

 protected:
  ~LinkPlaceUser() = default;
};

class LinkPlace final : PushSocketUser, ZmqSocketUser, PeerGateUser, ZmqMonitorUser {
 public:
  static Result<std::unique_ptr<LinkPlace>> open(Loop& loop, ZmqContext& context,
                                                 HandlerLinkOptions options, LinkPlaceUser& user);

  PushSocket& requests() { return *requests_; }
  bool behind_relay() const { return gate_ == nullptr; }
  bool may_pass() const { return gate_ ? gate_->open() : relay_open_; }
  bool relay_is_there() const { return relay_monitor_ && relay_monitor_->peers() > 0; }
  bool has_handlers() const { return gate_ ? gate_->has_peers() : relay_open_; }
  // For the log.
  size_t request_peers() const { return gate_ ? gate_->request_peers() : 0; }
  size_t reply_peers() const { return gate_ ? gate_->reply_peers() : 0; }

  // A word of the relay about its gate; false: it is about something else.
  bool take_relay_word(std::string_view word);
  void set_recv_ident(std::string_view prefix);
  void stop_listening();
  // The pair is elsewhere from now on: no more requests pass here, and nobody new comes to private
  // endpoints. Handlers stay for what they owe.
  void retire();
  // Retired, and nothing is owed by those here: a relay is told, once.
  void settle(ConnectionId worker_id);
  // New handlers come to these sockets; who is connected stays. Not behind a relay.
  Status listen_again(HandlerLinkOptions options) { return bind(options, false); }
  // An endpoint that was held is free now.
  void listen(const std::string& endpoint);
  // Nothing passes in either direction any more; both sockets are closed.
  void leave();
  // Retired, and no reply is to be expected any more, or not within limit_s. owed: to those who
  // sent requests here.
  bool spent(bool owed, double limit_s) const;

 private:
  LinkPlace(Loop& loop, LinkPlaceUser& user) : loop_(loop), user_(user) {}
  Status open_sockets(ZmqContext& context, const HandlerLinkOptions& options, bool behind_relay);
  Status bind(HandlerLinkOptions& options, bool behind_relay);
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) override;
  void push_writable() override { user_.place_changed(*this); }
  void push_peers_changed() override {
    if (gate_) gate_->peers_changed();
  }
  void push_peer_gone(PeerId peer, std::vector<PushMessage>& unsent) override {
    user_.place_peer_gone(*this, peer, unsent);
  }
  void gate_changed() override { user_.place_changed(*this); }
  void peers_changed() override;

  Loop& loop_;
  LinkPlaceUser& user_;
  PrivateEndpoint requests_path_;
  PrivateEndpoint replies_path_;
  std::unique_ptr<PushSocket> requests_;
  std::unique_ptr<ZmqSocket> replies_;         // null: no handler replies here
  std::unique_ptr<PeerGate> gate_;             // when handlers connect here
  std::unique_ptr<ZmqMonitor> relay_monitor_;  // when the relay does
  std::string recv_ident_;
  bool subscribes_ = false;  // replies come from PUB sockets
  bool relay_open_ = false;  // the relay has said so, and is still there
  size_t relays_ = 0;        // more than one: the end of the first has not been heard yet
  bool settled_ = false;     // the relay was told
  double retired_at_ = 0;
  double last_reply_ = 0;
};

}  // namespace m2
