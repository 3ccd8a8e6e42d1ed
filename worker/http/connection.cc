// The input side of a connection: bytes to heads, heads to routes, bodies to targets.
#include "worker/http/connection.h"

#include <sys/socket.h>

#include <cerrno>

#include "common/log.h"
#include "proto/message_socket/socket_message.h"
#include "worker/http/clients.h"
#include "worker/target/target.h"

namespace m2 {
namespace {

// "Expect: 100-continue" (RFC 9110, 10.1.1): a target wants the body.
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// To "OPTIONS *". What a certain path allows is its target's to say.
constexpr std::string_view kServerAllows =
    "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

// Nothing but blank lines, which some clients send behind a body: no request begins with them, and
// as many as the parser passes over change nothing (RFC 9112 2.2). The last may be half there.
bool are_blank_lines(std::string_view bytes) {
  return std::string_view("\r\n\r\n").starts_with(bytes);
}

}  // namespace

Connection::Connection(Clients& clients, OwnedFd socket, const ClientPeer& peer)
    : clients_(clients),
      socket_(std::move(socket)),
      state_(peer.sends_proxy_header ? State::kProxyHeader : State::kIdle),
      https_(peer.over_tls) {
  set_peer(peer.address, peer.port);
  traffic_.pinged = static_cast<uint32_t>(clients_.loop().now());
  clients_.arrive(*this);
  io_.start<&Connection::on_io>(clients_.loop(), socket_.get(), EV_READ, this);
  clients_.deadlines().set(*this, clients_.limits().head_ms);
}

Connection::~Connection() = default;

void Connection::on_io(int revents) {
  if ((revents & EV_WRITE) != 0) flush();
  if ((revents & EV_READ) != 0 && state_ != State::kClosed && !doomed_) read_input();
}

void Connection::read_input() {
  auto& buffer = clients_.read_buffer();
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) close("the client is gone");
    return;
  }
  if (count == 0) return input_ended();
  traffic_.note_read(clients_.loop().now(), static_cast<uint64_t>(count));
  const std::string_view bytes(buffer.data(), static_cast<size_t>(count));
  switch (state_) {
    case State::kProxyHeader:
      return read_proxy_header(bytes);
    case State::kIdle:
    case State::kHead:
    case State::kMessage:
    case State::kBody:
      return process(bytes);
    case State::kAnswering:
    case State::kFlushing:
      return keep_for_later(bytes);
    case State::kSwitched:
      return exchange_->responder_->body(bytes, false);
    case State::kLingering:
      return throw_away(bytes.size());
    case State::kClosed:
      return;
  }
}

void Connection::input_ended() {
  if (state_ == State::kSwitched) {
    half_closed_ = true;
    watch_as_needed();
    return exchange_->responder_->body({}, true);
  }
  if (state_ != State::kAnswering && state_ != State::kFlushing) {
    return close(state_ == State::kIdle ? "" : "the client closed within a request");
  }
  // It may still read: what it is owed leaves within the write deadline. Handlers hear at once that
  // nobody will ask again.
  half_closed_ = true;
  watch_as_needed();
  if (!exchange_->write_watched) clients_.deadlines().set(*this, clients_.limits().write_ms);
  const bool owed = exchange_->responder_ != nullptr && exchange_->responder_->owes_request();
  std::erase_if(told_, [this, owed](const Told& told) {
    const auto handler = told.handler.lock();
    return handler == nullptr || (!owed && handler->client_half_closed(id_));
  });
  if (exchange_->responder_ != nullptr) exchange_->responder_->client_half_closed();
}

// bytes: all that is not used yet and does not stand in exchange_->input.
void Connection::process(std::string_view bytes) {
  const size_t received = bytes.size();
  processing_ = true;
  for (bool more = true; more;) {
    switch (state_) {
      case State::kIdle:
        more = !bytes.empty();
        if (more) begin_exchange(begins_socket_message(bytes[0]) ? State::kMessage : State::kHead);
        break;
      case State::kMessage:
        bytes = take_message(bytes);
        more = state_ != State::kMessage;
        break;
      case State::kHead:
        bytes = take_head(bytes);
        more = state_ != State::kHead;
        break;
      case State::kBody:
        more = !bytes.empty();
        if (more) bytes = take_body(bytes);
        break;
      case State::kAnswering:
      case State::kFlushing:
        if (!bytes.empty()) keep_for_later(bytes);
        more = false;
        break;
      case State::kSwitched:
        exchange_->later.append(bytes);
        more = false;
        break;
      case State::kProxyHeader:
      case State::kLingering:
      case State::kClosed:
        more = false;
        break;
    }
  }
  processing_ = false;
  if (state_ == State::kIdle && clients_.retiring()) return retire();
  if (state_ == State::kBody && exchange_->output.empty()) set_body_deadline(received);
  if (state_ == State::kAnswering && exchange_->output.empty()) clients_.deadlines().clear(*this);
}

void Connection::begin_exchange(State state) {
  exchange_ = clients_.acquire_exchange();
  exchange_->client_ = this;
  exchange_->https_ = https_;
  // From the first byte on: answers of a message socket may come while the next request is read.
  exchange_->generation_ = clients_.generation();
  state_ = state;
}

// Returns what of bytes lies behind the request (or all that was kept for later: nothing).
std::string_view Connection::take_head(std::string_view bytes) {
  Exchange& exchange = *exchange_;
  std::string_view all = bytes;
  if (!exchange.input.empty()) {
    exchange.input.append(bytes);
    all = exchange.input;
  }
  switch (exchange.parser.parse(all, exchange.head_)) {
    case ParseState::kIncomplete:
      // It is as idle as it was behind its last request.
      if (served_ && are_blank_lines(all) && all.back() == '\n' && exchange.output.empty()) {
        clients_.release_exchange(std::move(exchange_));
        state_ = State::kIdle;
        return {};
      }
      if (exchange.input.empty()) {
        exchange.input.assign(bytes);
        clients_.deadlines().set(*this, clients_.limits().head_ms);
      }
      return {};
    case ParseState::kRefused:
      if (clients_.notes().admits()) {
        log_info("bad request from " + std::string(peer_address()) + " at byte " +
                 std::to_string(exchange.parser.error_offset()) + ": " +
                 std::string(exchange.parser.reason()));
      }
      refuse(exchange.parser.status(), {});
      return {};
    case ParseState::kComplete:
      break;
  }
  exchange.base_ = all.data();
  // Earlier pieces held no end of the head: what lies behind it came with the last one.
  return dispatch(bytes.substr(bytes.size() - (all.size() - exchange.parser.head_bytes())));
}

std::string_view Connection::dispatch(std::string_view rest) {
  Exchange& exchange = *exchange_;
  RequestHead& head = exchange.head_;
  if (head.framing == BodyFraming::kLength && head.content_length == 0) {
    head.framing = BodyFraming::kNone;
  }
  message_socket_ = false;
  exchange.is_head_ = exchange.method() == "HEAD";
  exchange.keep_alive_ = head.keep_alive && !close_after_ && !clients_.draining();
  const Host& host = exchange.generation_->host(head.host.in(exchange.base_));
  exchange.host_name_ = host.name;
  number_request(&head);
  if (!find_origin()) return {};
  if (head.expect_other) {
    refuse(417, "Expect: only 100-continue is known (RFC 9110 10.1.1)");
    return {};
  }
  exchange.route_ = Generation::route(host, exchange.path());
  if (exchange.route_ == nullptr) {
    return answer_without_route(rest);
  }
  if (head.has_fragment && !exchange.route_->target->takes_fragment()) {
    refuse(400, "a fragment in the target (RFC 9112 3.2)");
    return {};
  }
  return begin_body(exchange.route_->target->body_policy(exchange), rest);
}

std::string_view Connection::answer_without_route(std::string_view rest) {
  Exchange& exchange = *exchange_;
  // The server as a whole (RFC 9110 9.3.7); the parser lets no other method have this target.
  const bool is_server = exchange.path() == "*";
  const std::string_view fields = is_server ? kServerAllows : std::string_view();
  const bool body_unread = exchange.head_.framing != BodyFraming::kNone;
  if (body_unread) {
    close_after_ = unread_input_ = true;
    exchange.keep_alive_ = false;
    rest = {};
  }
  note_pipelined(rest);
  state_ = State::kAnswering;
  exchange.answer_status(is_server ? 204 : 404, {}, fields);
  return rest;
}

// Starts the target as soon as its policy allows. Returns what lies behind the request, as far as
// known.
std::string_view Connection::begin_body(BodyPolicy policy, std::string_view rest) {
  Exchange& exchange = *exchange_;
  const RequestHead& head = exchange.head_;
  const bool by_length = head.framing == BodyFraming::kLength;
  const bool all_here =
      head.framing == BodyFraming::kNone || (by_length && rest.size() >= head.content_length);
  if (policy == BodyPolicy::kWhole && by_length &&
      head.content_length > clients_.limits().content_length) {
    refuse(413, "a body of " + std::to_string(head.content_length) + " bytes is above " +
                    "limits.content_length=" + std::to_string(clients_.limits().content_length));
    return {};
  }
  if (policy != BodyPolicy::kStream && all_here) {
    const size_t length = by_length ? static_cast<size_t>(head.content_length) : 0;
    exchange.body_ = rest.substr(0, length);
    rest.remove_prefix(length);
    note_pipelined(rest);
    state_ = State::kAnswering;
    start_target();
    return rest;
  }
  if (policy == BodyPolicy::kIgnore) {  // not worth reading: the answer ends the connection
    exchange.keep_alive_ = false;
    unread_input_ = true;
    state_ = State::kAnswering;
    start_target();
    return {};
  }
  if (policy == BodyPolicy::kStream && head.framing == BodyFraming::kNone) {
    note_pipelined(rest);
    state_ = State::kAnswering;
    start_target();
    return rest;
  }
  exchange.body_reader.start(head.framing, head.content_length);
  if (policy == BodyPolicy::kWhole) {
    exchange.keep_head();
    state_ = State::kBody;
  } else {
    if (by_length) exchange.body_ = rest.substr(0, head.content_length);
    state_ = State::kBody;
    start_target();
    if (state_ != State::kBody) return {};  // answered without its body
    exchange_->body_ = {};
  }
  const bool waits = exchange_->head_.expect_continue && rest.empty();
  exchange_->owes_continue = waits && !exchange_->continue_left_;
  ask_for_body();
  return rest;
}

// A client that waits for "100 Continue" gets it when its body is wanted: not while the target
// holds it back, and not behind an answer.
void Connection::ask_for_body() {
  if (!exchange_->owes_continue || body_paused_ || state_ != State::kBody) return;
  exchange_->owes_continue = false;
  if (exchange_->status_ == 0) exchange_->send(kContinue);
}

std::string_view Connection::take_body(std::string_view bytes) {
  exchange_->owes_continue = false;  // it does not wait for it
  BodyReader& reader = exchange_->body_reader;
  while (!bytes.empty() && !reader.done()) {
    const BodyReader::Step step = reader.read(bytes);
    bytes.remove_prefix(step.used);
    if (reader.failed()) {
      refuse_body();
      return {};
    }
    exchange_->trailers_.append(step.trailers);
    const bool last = reader.done();
    if (last) {
      note_pipelined(bytes);
      state_ = State::kAnswering;
    }
    if (!step.data.empty()) {
      if (exchange_->responder_ != nullptr) {
        exchange_->responder_->body(step.data, false);
      } else if (!keep_body(step.data)) {
        return {};
      }
      // Answered, or closed, before the body was complete, or before it was said to be.
      if (!last && state_ != State::kBody) return {};
      if (last && state_ != State::kAnswering) return bytes;
    }
    if (step.used == 0) break;
  }
  if (state_ == State::kBody) return bytes;
  if (exchange_->responder_ != nullptr) {
    exchange_->responder_->body({}, true);
  } else {
    exchange_->body_ = exchange_->body_buffer_;
    start_target();
  }
  return bytes;
}

void Connection::refuse_body() {
  const BodyReader& reader = exchange_->body_reader;
  if (clients_.notes().admits()) {
    log_info("bad request from " + std::string(peer_address()) + " at byte " +
             std::to_string(reader.used()) + " of its body: " + std::string(reader.reason()));
  }
  refuse(400, {});
}

bool Connection::keep_body(std::string_view piece) {
  const uint64_t limit = clients_.limits().content_length;
  if (exchange_->body_buffer_.size() + piece.size() > limit) {
    if (exchange_->route_->target->takes_larger(*exchange_)) return stream_from_here(piece);
    refuse(413, "a chunked body is above limits.content_length=" + std::to_string(limit));
    return false;
  }
  exchange_->body_buffer_.append(piece);
  return true;
}

// A chunked body has outgrown one message.
bool Connection::stream_from_here(std::string_view piece) {
  start_target();
  const auto pass_on = [this](std::string_view bytes) {
    if (state_ == State::kBody) exchange_->responder_->body(bytes, false);
  };
  if (state_ == State::kBody) {
    const std::string so_far = std::move(exchange_->body_buffer_);
    exchange_->body_buffer_.clear();
    pass_on(so_far);
    pass_on(piece);
  }
  return state_ == State::kBody;
}

// A second request that is here before the first is answered (RFC 9112, 9.3.2 allows to close
// instead).
void Connection::note_pipelined(std::string_view rest) {
  // What follows a request to switch protocols is not a request, and messages wait for nothing.
  if (rest.empty() || clients_.limits().pipelining || exchange_->head_.upgrade || message_socket_ ||
      are_blank_lines(rest)) {
    return;
  }
  if (!close_after_ && clients_.notes().admits()) {
    log_info("pipelined request from " + std::string(peer_address()) +
             " not served: closing after this answer (setting pipelining=1 serves them)");
  }
  close_after_ = unread_input_ = true;
  exchange_->keep_alive_ = false;
}

void Connection::keep_for_later(std::string_view bytes) {
  if (close_after_) return throw_away(bytes.size());
  exchange_->later.append(bytes);
  note_pipelined(exchange_->later);
  if (close_after_) exchange_->later.clear();
  watch_as_needed();
}

// A second request waits behind this one.
bool Connection::has_later() const {
  return exchange_ != nullptr && !are_blank_lines(exchange_->later);
}

void Connection::start_target() {
  // Kept alive by the generation that the exchange holds.
  exchange_->route_->target->start(*exchange_);
}

// Answers instead of a target, and ends the connection: the rest of its input means nothing any
// more.
void Connection::refuse(int status, std::string_view why) {
  Exchange& exchange = *exchange_;
  close_after_ = unread_input_ = true;
  exchange.keep_alive_ = false;
  if (exchange.responder_ != nullptr) {
    exchange.responder_->stop();
    exchange.responder_ = nullptr;
  }
  if (exchange.status_ != 0) return cut_off(why);  // an answer had begun
  if (exchange.logged_.text.empty()) {
    number_request(nullptr);
    exchange.host_name_ = "-";
  }
  state_ = State::kAnswering;
  exchange.answer_status(status, why);
}

}  // namespace m2
