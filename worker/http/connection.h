// One client's connection speaking HTTP/1.x: the state machine between its socket and the targets.
// The file to read first in this room. connection.cc takes requests in, connection_output.cc lets
// answers out, connection_client.cc finds out whose they are, connection_deadlines.cc is for the
// slow, connection_messages.cc for message sockets, connection_switched.cc for those that left
// HTTP. An idle connection is this object and nothing else: no buffer, no exchange.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "common/deadlines.h"
#include "common/ip_network.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/treaty/held_clients.h"
#include "worker/http/client_peer.h"
#include "worker/http/exchange.h"
#include "worker/http/traffic.h"

namespace m2 {

class Clients;
class HandlerMessage;
struct HandlerRow;
enum class BodyPolicy : uint8_t;

class Connection final : private ClientStream, private Deadline {
 public:
  // Owned by clients from here on; deletes itself through Clients::bury.
  Connection(Clients& clients, OwnedFd socket, const ClientPeer& peer);
  ~Connection() override;

  // A message for this client that came through this handler's pair. False: nothing here waits for
  // it; it was dropped.
  bool handler_reply(std::string_view body, HandlerMessage& message, const HandlerRow& handler);
  // What else handlers may say of a client (worker/target/extended_reply.h): nullptr when no
  // handler's answer is awaited.
  Responder* responder() { return exchange_ == nullptr ? nullptr : exchange_->responder_; }
  // A handler wants it to stay: it begins to be idle anew.
  void touch();
  // Handlers of this pair asked for its end, and need no notice of it.
  void forget_handler(const void* pair);
  // They will hear of its end.
  bool is_told(const void* pair) const override;
  // The request in flight was submitted to this pair and gets no answer.
  void request_refused(const void* pair, std::string_view why, int status);
  // Upgrade: handlers of this pair still owe it something; they are told that it is gone for them
  // (if they knew of it and owe nothing); it gets nothing of them any more.
  bool owed_by(const void* pair) const;
  void tell_handlers_of(const void* pair);
  void give_up(const void* pair, std::string_view why);
  // Ends it now; an exchange in flight is stopped.
  void close(std::string_view why);
  // Between two requests: another worker takes the client over.
  void retire();
  // Ends it as soon as nothing is owed.
  void drain();
  // To the responder that has it, if any. False: it ends for that.
  bool generation_changed(const Generation& generation);
  // None: it is between two requests.
  std::optional<HeldAs> held_as() const;
  bool closed() const { return state_ == State::kClosed; }

  // For the control port.
  const Traffic& traffic() const { return traffic_; }
  int descriptor() const { return socket_.get(); }
  int kind() const;  // ClientLine::type
  ConnectionId any_id() { return id(); }

 private:
  friend class Clients;
  enum class State : uint8_t {
    kProxyHeader,  // a PROXY header is due first; no exchange unless it came in pieces
    kIdle,         // between requests: no exchange
    kHead,         // a request has begun
    kMessage,      // a message of a JSSocket or XML socket has begun
    kBody,         // its head is there, its body is not
    kAnswering,    // a target has it
    kSwitched,     // HTTP no longer: a responder has the connection until it ends
    kFlushing,     // the answer is complete but not all of it has left
    kLingering,    // our side is shut down: what the client still sends is thrown away
    kClosed
  };

  // The exchange has no request yet, only the beginning of one.
  bool is_reading() const {
    return state_ == State::kProxyHeader || state_ == State::kHead || state_ == State::kMessage;
  }

  // connection.cc: input
  void on_io(int revents);
  void read_input();
  void input_ended();
  void process(std::string_view bytes);
  void begin_exchange(State state);
  std::string_view take_head(std::string_view bytes);
  std::string_view dispatch(std::string_view rest);
  std::string_view answer_without_route(std::string_view rest);
  std::string_view begin_body(BodyPolicy policy, std::string_view rest);
  std::string_view take_body(std::string_view bytes);
  bool keep_body(std::string_view piece);
  bool stream_from_here(std::string_view piece);
  void note_pipelined(std::string_view rest);
  void ask_for_body();
  void refuse_body();
  void start_target();
  void refuse(int status, std::string_view why);
  void keep_for_later(std::string_view bytes);
  bool has_later() const;

  // connection_handlers.cc
  void end_soon();

  // connection_client.cc: who it is
  void set_peer(const IpAddress& address, uint16_t port);
  void read_proxy_header(std::string_view bytes);
  void close_without_proxy_header(std::string_view what);
  void refuse_connection();
  bool find_origin();
  bool count_in(uint32_t most);

  // connection_output.cc: ClientStream, and the end of an exchange
  size_t send_now(std::string_view bytes) override;
  void enqueue(std::string_view bytes, std::shared_ptr<const void> owner) override;
  void enqueue_file(std::shared_ptr<const SentFile> file, uint64_t offset,
                    uint64_t length) override;
  void hold_output() override { exchange_->output_held = true; }
  void answer_complete() override;
  void answer_broken(std::string_view why) override;
  void abandon(std::string_view why) override;
  void set_body_paused(bool paused) override;
  ConnectionId id() override;
  std::string_view peer_address() const override { return {peer_.data(), peer_length_}; }
  void remember_handler(std::shared_ptr<ToldHandler> handler) override;
  void tell_at_close() override { tells_at_close_ = true; }
  void note_dropped(const HandlerRow& handler, OutputQueue::Dropped dropped) override;
  bool takes_burst(uint64_t message_bytes) override;
  void look_at_burst();
  std::string_view date() override;
  void flush();
  void give_credits(uint64_t bytes);
  void report_dropped();
  void exchange_ended();
  void linger();
  void throw_away(size_t bytes);
  void number_request(const RequestHead* head);
  void write_access_log();
  void tell_handlers();
  void part_from_handlers();
  void socket_failed();
  void watch_as_needed();
  void note(int status, std::string_view line) override;

  // connection_deadlines.cc
  void deadline_passed() override;
  void set_body_deadline(size_t bytes);  // that have come since the last call
  void look_at_paused();
  void output_waits();
  int64_t bytes_in_kernel() const;
  uint64_t earned_write_ms();
  void cut_off(std::string_view why);

  // connection_messages.cc
  std::string_view take_message(std::string_view bytes);
  void dispatch_message(std::string_view text);
  void message_ended();
  bool answer_message(std::string_view body, HandlerMessage& message, const HandlerRow& handler);

  // connection_switched.cc
  void switch_protocols() override;
  void wake_after(uint64_t ms) override;
  double now() const override;
  void deliver_early_input();
  void set_switched_deadline();
  void switched_deadline_passed();

  Clients& clients_;
  Connection* previous_ = nullptr;  // list of Clients
  Connection* next_ = nullptr;
  OwnedFd socket_;
  State state_ = State::kIdle;
  bool close_after_ = false;   // whatever the request said
  bool served_ = false;        // at least one request was answered
  bool half_closed_ = false;   // the client has shut down its sending side
  bool doomed_ = false;        // the socket failed
  bool processing_ = false;    // process() is on the stack
  bool unread_input_ = false;  // the client sent what nobody will read: linger before closing
  bool tells_at_close_ = false;
  bool body_paused_ = false;
  bool counted_ = false;         // for its address (admission.h)
  bool https_ = false;           // its client speaks TLS: the scheme of its requests
  bool message_socket_ = false;  // its latest request was a message: answers are for such a socket
  bool raw_answers_ = false;     // not encoded
  uint8_t peer_length_ = 0;
  uint16_t peer_port_ = 0;
  uint32_t thrown_away_ = 0;  // bytes of the client that nobody read
  std::array<char, kIpTextMax> peer_;
  IpAddress peer_ip_;
  Traffic traffic_;
  IoWatcher io_;
  ConnectionId id_ = 0;
  std::unique_ptr<Exchange> exchange_;
  struct Told {
    std::weak_ptr<ToldHandler> handler;
    bool had_request = false;  // one before the latest was handed over
  };
  std::vector<Told> told_;  // handlers that will hear of the end
};

}  // namespace m2
