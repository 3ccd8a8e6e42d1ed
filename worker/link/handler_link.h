// One handler pair as a worker sees it: a bound PUSH socket for requests, a bound SUB socket for
// replies, and a bounded queue in front of the first. The same code whether handlers connect
// directly (one worker) or the relay does (several): the endpoints are its only difference.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "proto/handler/connection_id.h"

namespace m2 {

class HandlerLink;
class ZmqContext;

// One message from a handler. Valid during the call; hold() keeps its bytes alive for longer
// without copying them (a slow browser is still owed some).
class HandlerMessage {
 public:
  virtual std::string_view bytes() const = 0;
  virtual std::shared_ptr<const void> hold() = 0;

 protected:
  ~HandlerMessage() = default;
};

class HandlerLinkUser {
 public:
  virtual void handler_message(HandlerLink& link, HandlerMessage& message) = 0;
  // A request that submit() took never reached a handler: none came within wait_ms, or all went away.
  virtual void request_refused(HandlerLink& link, ConnectionId id, std::string_view why) = 0;

 protected:
  ~HandlerLinkUser() = default;
};

struct HandlerLinkOptions {
  std::string send_spec;  // as configured: names the pair in logs
  std::string recv_spec;
  // Where to bind. With a descriptor the endpoint is already listening and is adopted (ZMQ_USE_FD);
  // without one it is a private ipc endpoint, bound here with mode 0600.
  std::string requests_endpoint;
  OwnedFd requests_fd;
  std::string replies_endpoint;
  OwnedFd replies_fd;
  std::string recv_ident;     // subscription prefix; "" : everything
  uint32_t send_mark = 64;    // ZMQ_SNDHWM of the PUSH socket: what one handler may hold unread
  uint32_t recv_mark = 1000;  // ZMQ_RCVHWM of the SUB socket
  uint32_t queue_max = 1000;  // requests waiting here
  uint32_t wait_ms = 5000;    // how long one may wait
};

class HandlerLink {
 public:
  // The loop, the context and the user outlive the link.
  static Result<std::unique_ptr<HandlerLink>> open(Loop& loop, ZmqContext& context,
                                                   HandlerLinkOptions options, HandlerLinkUser& user);
  virtual ~HandlerLink() = default;

  // Passes a request on, or queues it while no handler is there on both sockets or all are full. False:
  // the queue is full; nothing was kept.
  virtual bool submit(ConnectionId id, std::string_view message) = 0;
  // Takes a request back that is still queued here. False: it is on its way to a handler.
  virtual bool withdraw(ConnectionId id) = 0;
  // A disconnect notice: behind the requests already submitted, never refused; when the queue is at its
  // bound the notice is dropped, counted and logged.
  virtual void notify(ConnectionId id, std::string_view message) = 0;
  // Subscribes to this prefix instead (a reload changed recv_ident).
  virtual void set_recv_ident(std::string_view prefix) = 0;
  // No new handler may connect here; those that are connected go on until the link is destroyed.
  virtual void stop_listening() = 0;

  virtual const std::string& send_spec() const = 0;
  virtual const std::string& recv_spec() const = 0;
  // Handlers (or relays) connected on both sides now.
  virtual bool has_handlers() const = 0;
};

}  // namespace m2
