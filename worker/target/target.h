// The contract between a client's connection and what can answer: a directory, a backend, a
// handler. A target is shared by many exchanges; a responder is what it keeps for one of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/treaty/held_clients.h"
#include "proto/handler/connection_id.h"

namespace m2 {

class Exchange;
class Generation;
class HandlerMessage;
struct SocketMessage;
struct WebSocketOrder;

enum class BodyPolicy : uint8_t {
  kIgnore,  // start() at the end of the head; the body is read and thrown away
  kWhole,   // start() once the whole body is there, bounded by limits.content_length
  kStream   // start() at the end of the head; Responder::body() as pieces arrive
};

enum class MessageTaken : uint8_t {
  kNotHere,  // no handler: only they take messages
  kFull,     // the handler's queue
  kEncoded,  // taken; answers are to be encoded for the socket
  kRaw       // taken; answers go out as they are (handler.raw_payload)
};

class Target {
 public:
  virtual ~Target() = default;
  // How the body of this request is wanted; asked at the end of its head.
  virtual BodyPolicy body_policy(const Exchange& exchange) const = 0;
  // Called once for each exchange. Answers at once, or gives the exchange a responder and answers
  // later. The bytes of the request are valid only during the call.
  virtual void start(Exchange& exchange) = 0;
  // kWhole, and a chunked body has outgrown limits.content_length. True: start() now, then
  // Responder::body() with all of it as with kStream. False: the request is refused with 413.
  virtual bool takes_larger(const Exchange&) const { return false; }
  // Whether it is told of the target's fragment. Otherwise a request with one is refused: it would
  // be answered as if that part had not been there.
  virtual bool takes_fragment() const { return false; }
  // A message of a JSSocket or XML socket. Answers to it have no responder: they go to the
  // connection.
  virtual MessageTaken socket_message(Exchange&, const SocketMessage&) {
    return MessageTaken::kNotHere;
  }
  // Whose handlers will be asked; nullptr: it is none of handlers.
  virtual const void* pair() const { return nullptr; }
};

// Belongs to the target; one for each exchange that was not answered within start().
class Responder {
 public:
  // kStream, and after ClientStream::switch_protocols(): the bytes as they come. last: the body
  // ends here, or the client has shut down its sending side. To slow the client down:
  // ClientStream::set_body_paused().
  virtual void body(std::string_view bytes, bool last) = 0;
  // The client has taken what it was owed; more may be sent.
  virtual void pull() = 0;
  // A handler's message for this client. Default: it is not a handler that answers here; false.
  virtual bool handler_reply(std::string_view, HandlerMessage&) { return false; }
  // The other words of handlers (extended messages): more time; more upload credits; a file to be
  // sent where a message would be. False: there is nothing to which it could belong.
  virtual void keep_alive() {}
  virtual void add_credits(uint64_t) {}
  virtual bool send_file(std::string_view) { return false; }
  // Whether its request was passed on to the handlers of this pair.
  virtual bool asked(const void*) const { return true; }
  // What a handler wants of a WebSocket whose protocol is the server's business. Default: this is
  // none; false.
  virtual bool websocket_order(const WebSocketOrder&, HandlerMessage&) { return false; }
  // Handlers know of this exchange but have not got all of its request yet: they hear of a client
  // that has shut down its sending side when it is gone.
  virtual bool owes_request() const { return false; }
  // The request it was passed on as gets no answer (HandlerLinkUser::request_refused).
  virtual void refused(std::string_view /*why*/, int /*status*/) {}
  // The client has shut down its sending side. It may still read; default: nothing.
  virtual void client_half_closed() {}
  // The time of ClientStream::wake_after() has come.
  virtual void woken() {}
  // New requests use this configuration from now on; this exchange keeps the one it began with. Who
  // holds a client for long looks here whether its own row is still there. False: it ends for that.
  virtual bool generation_changed(const Generation&) { return true; }
  // How the log of a reload counts a connection that has left HTTP.
  virtual HeldAs held_as() const { return HeldAs::kTunnel; }
  // It needs nothing of the configuration it began with: the exchange may have the new one.
  virtual bool outlives_generation() const { return false; }
  // The pair whose handlers owe the rest of this exchange; nullptr: it is none of handlers.
  virtual const void* pair() const { return nullptr; }
  // That pair is left: the exchange ends now, with whatever can still be said.
  virtual void let_go(std::string_view /*why*/) {}
  // The worker ends: who holds a client for long says so to it, and completes. Within drain_ms.
  virtual void draining() {}
  // The exchange ends before its answer is complete (the client left, a deadline passed, the server
  // stops now). The exchange must not be touched afterwards. Always possible, called at most once.
  virtual void stop() = 0;

 protected:
  ~Responder() = default;
};

// Who must hear when a client leaves: a handler that was told of it.
class ToldHandler {
 public:
  // had_request: a request of it that came before its latest was handed to them.
  virtual void client_left(ConnectionId id, bool had_request) = 0;
  // It has left as was agreed, with all that it was owed: nobody needs to be told.
  virtual void client_parted(ConnectionId id) = 0;
  // It has shut down its sending side, which most that leave do first, but may still read. False:
  // this handler has not seen its request yet and shall hear of the end later.
  virtual bool client_half_closed(ConnectionId id) = 0;
  // Bytes of its answers have left for the client (download.flow_control).
  virtual void client_took(ConnectionId id, uint64_t bytes) = 0;
  // The same for all that would tell the same handlers: a pair hears once.
  virtual const void* pair() const = 0;

 protected:
  ~ToldHandler() = default;
};

}  // namespace m2
