// The socket that gives messages to whoever pulls them: handlers, or the relay. Two kinds: our own
// end of ZMTP, which knows who got what (ZmtpPush), and libzmq's, for CURVE and for the private
// hop between workers and relay (ZmqPush).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "proto/handler/connection_id.h"
#include "worker/link/peer_id.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

// Credits tell how much of an answer has left: they do not expire, since a handler that hung for a
// while would wait for them for ever; the notice that their client has left makes them void.
enum class QueuedKind : uint8_t { kRequest, kFollowing, kCredits, kNotice };

// Notices and credits are for whoever knows the connection, and take nobody's turn.
inline bool is_about_client(QueuedKind kind) {
  return kind == QueuedKind::kCredits || kind == QueuedKind::kNotice;
}

struct PushMessage {
  ConnectionId id = 0;
  QueuedKind kind = QueuedKind::kRequest;
  ZmqMessage bytes = {};
};

class PushSocketUser {
 public:
  // A send that found no room may succeed now.
  virtual void push_writable() = 0;
  // peers() may have changed.
  virtual void push_peers_changed() = 0;
  // That peer has gone, and never had these messages whole.
  virtual void push_peer_gone(PeerId, std::vector<PushMessage>& /*unsent*/) {}

 protected:
  ~PushSocketUser() = default;
};

struct PushOptions {
  std::string endpoint;
  std::string curve_secret = {};  // "": no CURVE
  uint32_t send_mark = 1;         // messages that wait for one peer; 0: no limit
  bool guarded = false;           // handlers connect here, not the relay
};

class PushSocket {
 public:
  // The loop, the context and the user outlive the socket.
  static Result<std::unique_ptr<PushSocket>> open(Loop& loop, ZmqContext& context,
                                                  const PushOptions& options, PushSocketUser& user);
  virtual ~PushSocket() = default;
  PushSocket(const PushSocket&) = delete;
  PushSocket& operator=(const PushSocket&) = delete;

  // Accepts peers on a socket that listens already; the endpoint is its name in messages.
  virtual Status adopt(const std::string& endpoint, OwnedFd listening) = 0;
  // The same, but not before listen_held() names this endpoint.
  Status hold(const std::string& endpoint, OwnedFd listening) {
    held_endpoint_ = endpoint;
    held_ = std::move(listening);
    return {};
  }
  Status listen_held(const std::string& endpoint) {
    if (!held_.valid() || held_endpoint_ != endpoint) return {};
    return adopt(endpoint, std::move(held_));
  }

  struct Sent {
    bool taken = false;          // else there is no room: the message is untouched, and
    PeerId peer = kUnknownPeer;  // push_writable will be called
  };
  // kind decides about turns. likely: who knows its connection; for kinds that are about a client.
  virtual Sent send(ConnectionId id, QueuedKind kind, ZmqMessage& message, PeerId likely) = 0;
  // A word between worker and relay.
  bool say(ZmqMessage& word) { return send(0, QueuedKind::kFollowing, word, kUnknownPeer).taken; }
  // That peer is owed one answer more or less: who owes least is next.
  virtual void owes(PeerId, int /*change*/) {}
  // Whose handshake is complete.
  virtual size_t peers() const = 0;
  // Messages that wait for their peers here. libzmq does not say.
  virtual size_t unsent() const { return 0; }
  // Lets libzmq look at what happened to its socket.
  virtual void service() {}

 protected:
  PushSocket() = default;

 private:
  std::string held_endpoint_;
  OwnedFd held_;
};

}  // namespace m2
