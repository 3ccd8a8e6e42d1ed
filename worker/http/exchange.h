// One request and its answer, as targets see it. It knows what was asked and takes the answer; how
// both travel is the business of the ClientStream behind it (an HTTP/1 connection today). Answers
// are bytes of an HTTP/1.1 message, the form in which handlers and backends speak.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/ip_network.h"
#include "proto/handler/connection_id.h"
#include "proto/http/body_reader.h"
#include "proto/http/request_head.h"
#include "proto/http/request_parser.h"
#include "worker/http/access_log_format.h"
#include "worker/http/output_queue.h"

namespace m2 {

class Generation;
class Responder;
class ToldHandler;
struct HandlerRow;
struct Route;

// The client's side of an exchange.
class ClientStream {
 public:
  // Sends what the client takes at once, if nothing is queued before it; returns how many bytes.
  virtual size_t send_now(std::string_view bytes) = 0;
  // The rest, in order. Without an owner to keep them alive the bytes are copied.
  virtual void enqueue(std::string_view bytes, std::shared_ptr<const void> owner) = 0;
  virtual void enqueue_file(std::shared_ptr<const SentFile> file, uint64_t offset,
                            uint64_t length) = 0;
  // What is enqueued from now on leaves with answer_complete(), which comes within this call: head
  // and file in one go, and nobody waits for a socket that most of the time takes both.
  virtual void hold_output() = 0;
  virtual void answer_complete() = 0;
  virtual void answer_broken(std::string_view why) = 0;
  // Ends it at once; what has not left is lost. Not within Target::start(), and by a responder only
  // when it is none any more.
  virtual void abandon(std::string_view why) = 0;
  virtual void set_body_paused(bool paused) = 0;
  // The connection is no longer HTTP (a 101 answer, RFC 9110 15.2.2): all that the client sends
  // from now on, and what it has sent behind its request, goes to Responder::body(), never within
  // this call. The responder ends it with answer_complete(), which closes the connection.
  virtual void switch_protocols() = 0;
  // After switch_protocols(): Responder::woken() is called once, ms from now (100 ms steps); 0: not
  // at all. A client that takes nothing of what it is owed is closed by limits.write_ms as always.
  virtual void wake_after(uint64_t ms) = 0;
  // Seconds of the loop's clock, to compare with each other.
  virtual double now() const = 0;
  // The id handlers know this client by; given out at the first call.
  virtual ConnectionId id() = 0;
  virtual std::string_view peer_address() const = 0;
  // A handler hears of this client: it will be told when the client is gone.
  virtual void remember_handler(std::shared_ptr<ToldHandler> handler) = 0;
  // If this answer ends the connection, handlers are told when it is closed and not before: the one
  // that answers may be about to close it.
  virtual void tell_at_close() = 0;
  // A line for the error log about what came of this exchange, if there is room for one. Client,
  // route and request id are added.
  virtual void note(int status, std::string_view line) = 0;
  // It will be.
  virtual bool is_told(const void* pair) const = 0;
  // It has not taken handler.output_bytes of earlier messages. Whether one more of this size may
  // wait all the same: handlers may send much at once, and only time tells who is slow.
  virtual bool takes_burst(uint64_t message_bytes) = 0;
  // Messages of this handler were dropped because the client does not take what it is owed.
  virtual void note_dropped(const HandlerRow& handler, OutputQueue::Dropped dropped) = 0;
  // This second, as HTTP writes it.
  virtual std::string_view date() = 0;

 protected:
  ~ClientStream() = default;
};

class Exchange {
 public:
  explicit Exchange(const ParserLimits& limits) : parser(limits) {}

  // The request. The bytes (base) are valid within Target::start() only.
  const RequestHead& head() const { return head_; }
  const char* base() const { return base_; }
  std::string_view method() const { return head_.method.in(base_); }
  std::string_view path() const { return head_.path.in(base_); }
  std::string_view field(std::string_view lower_case_name) const;  // "" : not there
  // BodyPolicy::kWhole: all of it. kStream, in start(): of a body with a length, what came with the
  // head; Responder::body() brings it again.
  std::string_view body() const { return body_; }
  // In start(): Responder::body() will bring it.
  bool body_follows() const { return !body_reader.done(); }
  // Within start(): head() and base() stay valid until the exchange ends.
  void keep_head();
  // Who asks: the peer of the connection, or the client for whom a trusted peer asks.
  std::string_view client_address() const {
    return client_length_ == 0 ? client_->peer_address()
                               : std::string_view(client_address_.data(), client_length_);
  }
  bool is_forwarded() const { return client_length_ != 0; }  // by a trusted peer
  // Of forwarded.trusted: what it says about the client counts.
  bool peer_is_trusted() const { return peer_is_trusted_; }
  // What the client was asked by, as far as we are told: TLS ends in front of this server.
  std::string_view scheme() const { return https_ ? "https" : "http"; }
  RequestId request_id() const { return request_id_; }  // 0: none (setting request.id)
  bool is_head() const { return is_head_; }
  // HTTP/1.0 clients get a final "Connection: keep-alive", others nothing, when this is true.
  bool keep_alive() const { return keep_alive_; }
  void set_keep_alive(bool keep) { keep_alive_ = keep; }
  // The answer is whole, and the client knows that the connection ends behind it: handlers that
  // were told of it expect nothing else, and need no notice.
  void end_as_agreed() { ends_as_agreed_ = true; }
  bool is_http10() const { return head_.minor_version == 0; }
  // "", or the Connection field that the answer should carry, with its line end. Asked when its
  // head is written: while the request is not read whole, this is the last answer.
  std::string_view connection_field();
  const Route& route() const { return *route_; }
  const Generation& generation() const { return *generation_; }
  ClientStream& client() { return *client_; }
  // Of a chunked body that was streamed, when its last piece has come: raw lines, each ending in
  // CRLF, and a blank one.
  std::string_view trailers() const { return trailers_; }
  // Within Target::start(): the client gets no 100 (Continue) but the one that the target sends.
  void leave_continue() { continue_left_ = true; }

  // The answer.
  // A built-in page: "Not Found" and the like, Content-Type text/plain. fields: further header
  // lines, each with its line end. why: for the log, empty when the status says enough.
  void answer_status(int status, std::string_view why = {}, std::string_view fields = {});
  // Note status and size for the access log, then send() the bytes, then complete().
  void set_status(int status) { status_ = status; }
  int status() const { return status_; }
  void add_body_bytes(uint64_t count) { answer_body_bytes_ += count; }
  void send(std::string_view bytes) {
    const size_t sent = client_->send_now(bytes);
    if (sent < bytes.size()) client_->enqueue(bytes.substr(sent), nullptr);
  }
  // owner() is asked for only when bytes must be kept: it returns what keeps them alive.
  template <typename Owner>
  void send(std::string_view bytes, Owner&& owner) {
    const size_t sent = client_->send_now(bytes);
    if (sent < bytes.size()) client_->enqueue(bytes.substr(sent), owner());
  }
  // One message of a stream. may_drop: it is whole, and the stream can go on without it.
  template <typename Owner>
  void send_message(std::string_view bytes, bool may_drop, Owner&& owner) {
    const size_t sent = client_->send_now(bytes);
    if (sent == bytes.size()) return;
    client_->enqueue(bytes.substr(sent), owner());
    if (may_drop && sent == 0) output.let_last_drop();
  }
  // A small message that goes before all that has not begun and may be dropped.
  void send_urgent(std::string_view bytes) {
    if (!output.empty()) return output.add_urgent(bytes);
    send(bytes);
  }
  // Whether a message of this handler may be sent now (send_message), when the client has not taken
  // earlier ones. handler.output_bytes is the bound, the row says what happens beyond it; who would
  // be closed may have a burst.
  enum class Room : uint8_t {
    kThere,
    kDrop,  // not this one; counted and logged already
    kNone   // this client is too slow; the stream cannot go on
  };
  std::string too_slow() const;  // why it ends then
  Room room_for(const HandlerRow& handler, uint64_t message_bytes, bool may_drop);
  void send_file(std::shared_ptr<const SentFile> file, uint64_t offset, uint64_t length) {
    client_->enqueue_file(std::move(file), offset, length);
  }
  uint64_t unsent() const { return output.bytes(); }
  // Handlers hear how many bytes have left (download.flow_control).
  void give_credits_to(std::shared_ptr<ToldHandler> handler) { credits_to_ = std::move(handler); }
  // The answer is awaited for long and nobody will look at the request again: gives back memory.
  void forget_request();
  // The whole answer was handed to send(); the exchange must not be touched afterwards.
  void complete() { client_->answer_complete(); }
  // No good end is possible any more: what was sent leaves, then the connection is closed.
  void broken(std::string_view why) { client_->answer_broken(why); }

  void set_responder(Responder* responder) { responder_ = responder; }
  Responder* responder() const { return responder_; }

  // State of the stream that carries the exchange; targets leave it alone.
  RequestParser parser;
  BodyReader body_reader;
  OutputQueue output;
  std::string
      input;  // a head that came in pieces, or that must outlive its read: base() points here
  std::string later;  // what the client sent before its answer was out
  // After switch_protocols(), in seconds of the loop; 0: none.
  double wakes_at = 0;
  double write_until = 0;
  // While output waits: bytes that have left it since the last look at the client's pace, and what
  // of them the kernel had not handed over then.
  int64_t write_flushed = 0;
  int64_t write_in_kernel = 0;
  bool write_watched = false;
  bool output_held = false;
  bool owes_continue = false;  // the client waits for 100 Continue
  double body_until = 0;       // Deadlines::seconds() until which a pause may last; 0: not begun

  // Makes it as new, ready for the next request.
  void reset();

 private:
  friend class Connection;
  friend class Clients;

  RequestHead head_;
  const char* base_ = nullptr;
  std::string_view body_;
  ClientStream* client_ = nullptr;
  Responder* responder_ = nullptr;
  const Route* route_ = nullptr;
  std::shared_ptr<const Generation> generation_;  // the one the request began with
  std::string body_buffer_;
  std::string trailers_;
  LoggedRequest logged_;
  RequestId request_id_ = 0;
  double began_ = 0;
  std::string_view host_name_;
  std::string host_copy_;  // host_name_, once the generation may go before the exchange
  uint64_t answer_body_bytes_ = 0;
  uint64_t lost_bytes_ = 0;   // were to be sent when the client was gone
  uint64_t burst_bytes_ = 0;  // above handler.output_bytes, as Clients counts them
  double burst_since_ = 0;    // 0: there are none
  std::shared_ptr<ToldHandler> credits_to_;
  uint64_t credits_due_ = 0;
  OutputQueue::Dropped dropped_;  // since its client became too slow
  std::string dropped_by_;        // whose messages: for the log
  uint64_t counted_key_ = 0;      // not 0: counts as one of this address (admission.h)
  std::array<char, kIpTextMax> client_address_;
  uint8_t client_length_ = 0;  // 0: the peer's address is the client's
  int status_ = 0;
  bool is_head_ = false;
  bool ends_as_agreed_ = false;
  bool keep_alive_ = true;
  bool continue_left_ = false;
  bool peer_is_trusted_ = false;
  bool https_ = false;
};

}  // namespace m2
