// One handler pair as a worker sees it: a bound PUSH socket for requests, a bound socket for
// replies, and a bounded queue in front of the first. Handlers connect to them (one worker) or the
// relay does (several workers, docs/relay.md); who uses a link sees no difference.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "proto/handler/connection_id.h"
#include "worker/link/ledger.h"

namespace m2 {

class HandlerLink;
class RoomWaiter;
class ToldTable;
class ZmqContext;

// One message from a handler. Valid during the call; hold() keeps its bytes alive for longer, where
// they are (a slow browser is still owed some). A held message of less than 8 KB may keep up to 8
// KB of messages that came with it.
class HandlerMessage {
 public:
  virtual std::string_view bytes() const = 0;
  virtual std::shared_ptr<const void> hold() = 0;

 protected:
  ~HandlerMessage() = default;
};

// Either call may destroy the link; neither the link nor its names may be used after that.
class HandlerLinkUser {
 public:
  virtual void handler_message(HandlerLink& link, HandlerMessage& message) = 0;
  // A request that submit() took gets no answer. status: 503, it reached no handler within wait_ms;
  // 504, no answer came within timeout_ms; 502, all handlers that may have had it are gone.
  virtual void request_refused(HandlerLink& link, ConnectionId id, std::string_view why,
                               int status) = 0;
  // The worker before this one died: the handlers of the pair still have to be told that these
  // connections ended.
  virtual void connections_left(HandlerLink&, std::vector<ConnectionId>) {}
  // Connections that handlers of this link were told of, for a relay that does not know them.
  virtual std::vector<ConnectionId> told(const HandlerLink&) { return {}; }

 protected:
  ~HandlerLinkUser() = default;
};

struct HandlerLinkOptions {
  std::string send_spec;  // as configured: names the pair in logs
  std::string recv_spec;
  // Where to bind. With descriptors the endpoints are already listening and are adopted
  // (ZMQ_USE_FD), and handlers connect; without, they are private ipc endpoints, made here with
  // mode 0600, for the relay.
  std::string requests_endpoint;
  OwnedFd requests_fd;
  std::string replies_endpoint;
  OwnedFd replies_fd;
  bool requests_held = false;  // not to be bound before listen(): another server's handlers are
  bool replies_held = false;   // there yet
  Replies replies = Replies::kSub;  // how handlers send them; kNone: no replies_fd
  std::string recv_ident;  // subscription prefix; "" : everything. The relay subscribes for us
  std::string curve_secret = {};  // for endpoints on tcp; "": no CURVE. Private ones have none
  uint32_t send_mark = 64;        // ZMQ_SNDHWM of the PUSH socket: what one handler may hold unread
  uint32_t recv_mark = 1000;      // ZMQ_RCVHWM of the reply socket
  uint32_t queue_max = 1000;      // requests waiting here
  uint64_t queue_bytes = 64 << 20;  // of them
  uint32_t wait_ms = 5000;          // how long one may wait
  uint32_t timeout_ms = 0;          // from submit() to the first bytes of the answer; 0: no limit
  uint32_t grace_ms = 2000;     // for handlers that are gone to come back and answer; 0: for ever
  uint32_t handlers_ms = 2000;  // a move: for handlers to answer what they have where they are
  // Where to note whom handlers were told of, for the worker after this one; null: nowhere.
  ToldTable* told = nullptr;
  uint64_t told_as = 0;
  ConnectionId worker_id = 0;  // for the relay: any id that only this worker can have given out
};

// What a link did not deliver, by cause, since it was opened.
struct HandlerLinkDrops {
  uint64_t requests_queue_full = 0;  // submit() said no
  uint64_t requests_late = 0;        // refused after wait_ms here
  uint64_t requests_relay = 0;       // refused by the relay
  uint64_t requests_timeout = 0;     // no answer within timeout_ms
  uint64_t requests_gone = 0;        // all handlers that may have had it are gone
  uint64_t notices = 0;              // queue full, or no handler within wait_ms
  uint64_t multipart = 0;            // messages of several parts, which have no meaning here
};

class HandlerLink {
 public:
  // The loop, the context and the user outlive the link.
  static Result<std::unique_ptr<HandlerLink>> open(Loop& loop, ZmqContext& context,
                                                   HandlerLinkOptions options,
                                                   HandlerLinkUser& user);
  virtual ~HandlerLink() = default;

  // Passes a request on, or queues it while no handler is there on both sockets or all are full.
  // False: the queue is full; nothing was kept.
  virtual bool submit(ConnectionId id, std::string_view message) = 0;
  // Somebody waits for the answer to the request that was submitted last, which was of this
  // connection: it is owed until owed is settled, or until request_refused().
  virtual void owe(Owed& owed, ConnectionId id) = 0;
  // The same for what follows a request of its connection, a message of a WebSocket: written as
  // these pieces, copied once. Only while there is room for it. True: sent. False: it waits here.
  virtual bool submit_following(ConnectionId id, std::span<const std::string_view> pieces) = 0;
  // How much of an answer has left: the same, but it never expires and nobody hears of its fate.
  virtual void say_credits(ConnectionId id, std::string_view message) = 0;
  // Whether the queue has room for what could wait elsewhere: the rest is for requests.
  virtual bool has_room() const = 0;
  // waiter.room() is called, in a later turn, when nothing waits in the queue any more.
  virtual void wait_for_room(RoomWaiter& waiter) = 0;
  // Takes a request back that is still queued here, with what follows it. False: it is on its way
  // to a handler.
  virtual bool withdraw(ConnectionId id) = 0;
  // It is still queued here.
  virtual bool holds(ConnectionId id) const = 0;
  // A disconnect notice: behind the requests already submitted, never refused; when the queue is at
  // its bound the notice is dropped, counted and logged. Nothing happens when the pair was told of
  // this connection less than RecentIds::kRememberS ago.
  virtual void notify(ConnectionId id, std::string_view message) = 0;
  // A handler ended this connection itself, or it ended as was agreed with its client: there will
  // be no notice.
  virtual void forget(ConnectionId id) = 0;
  // Subscribes to this prefix instead (a reload changed recv_ident).
  virtual void set_recv_ident(std::string_view prefix) = 0;
  // For requests submitted from now on; a shorter wait begins now for all. The marks are those of
  // the sockets and stay.
  virtual void set_limits(const HandlerLinkOptions& limits) = 0;
  // The pair is back in the configuration after a reload had removed it: new handlers come to the
  // descriptors of these options, who is connected stays. Only while !behind_relay().
  virtual Status listen_again(HandlerLinkOptions options) = 0;
  // Nobody new may connect to private endpoints; who is connected stays until the link is
  // destroyed. Adopted endpoints go on accepting until then: libzmq ends the connections that a
  // listener accepted together with the listener.
  virtual void stop_listening() = 0;

  // The same pair at other endpoints, since the number of workers changed from one or to one.
  // Prepared beside the present place; at the commit what waits moves along, and handlers are let
  // go to connect again when they have answered what they had and no reply has come for a moment,
  // or after handlers_ms.
  virtual Status prepare_move(ZmqContext& context, HandlerLinkOptions options) = 0;
  virtual void commit_move() = 0;  // nothing, when no move was prepared
  virtual void abort_move() = 0;
  // An upgrade: as listen(), for an endpoint whose option said that it is held.
  virtual void listen(const std::string& endpoint) = 0;
  // An upgrade: both sockets are closed; nothing is submitted or passed on any more.
  virtual void leave() = 0;
  // Requests and notices that wait here.
  virtual size_t waiting() const = 0;
  virtual bool behind_relay() const = 0;
  virtual Replies replies() const = 0;
  virtual const std::string& curve_secret() const = 0;

  virtual const std::string& send_spec() const = 0;
  virtual const std::string& recv_spec() const = 0;
  // Handlers are connected on both sides now, here or at the relay.
  virtual bool has_handlers() const = 0;
  virtual HandlerLinkDrops drops() const = 0;
};

}  // namespace m2
