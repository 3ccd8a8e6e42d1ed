// A PUSH socket of libzmq, which does not say who got a message. For endpoints with CURVE and for
// the private hop between workers and relay.
#pragma once

#include <memory>

#include "worker/link/push_socket.h"
#include "worker/link/zmq_monitor.h"

namespace m2 {

class ZmqPush final : public PushSocket, ZmqSocketUser, ZmqMonitorUser {
 public:
  static Result<std::unique_ptr<PushSocket>> open(Loop& loop, ZmqContext& context,
                                                  const PushOptions& options, PushSocketUser& user);

  Status adopt(const std::string& endpoint, OwnedFd listening) override {
    return socket_->adopt(endpoint, std::move(listening));
  }
  Sent send(ConnectionId, QueuedKind, ZmqMessage& message, PeerId) override {
    return {socket_->send(message)};
  }
  size_t peers() const override { return monitor_ ? monitor_->peers() : 0; }
  void service() override { socket_->service(); }

 private:
  explicit ZmqPush(PushSocketUser& user) : user_(user) {}
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>&, bool) override {}
  void zmq_writable(ZmqSocket&) override { user_.push_writable(); }
  void peers_changed() override { user_.push_peers_changed(); }

  PushSocketUser& user_;
  std::unique_ptr<ZmqSocket> socket_;
  std::unique_ptr<ZmqMonitor> monitor_;  // where handlers connect
};

}  // namespace m2
