// The input side of a connection: bytes to heads, heads to routes, bodies to targets.
#include "worker/http/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

uint8_t write_peer(const sockaddr_storage& peer, std::array<char, 46>& out, uint16_t& port) {
  const void* address;
  int family = peer.ss_family;
  if (family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    address = &v4.sin_addr;
    port = ntohs(v4.sin_port);
  } else if (family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
    port = ntohs(v6.sin6_port);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    address = mapped ? static_cast<const void*>(v6.sin6_addr.s6_addr + 12) : &v6.sin6_addr;
    if (mapped) family = AF_INET;
  } else {
    out[0] = '-';
    return 1;
  }
  ::inet_ntop(family, address, out.data(), out.size());
  return static_cast<uint8_t>(std::string_view(out.data()).size());
}

}  // namespace

Connection::Connection(Clients& clients, OwnedFd socket, const sockaddr_storage& peer)
    : clients_(clients), socket_(std::move(socket)) {
  peer_length_ = write_peer(peer, peer_, peer_port_);
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
  clients_.deadlines().set(*this, clients_.limits().write_ms);
  std::erase_if(told_, [this](const auto& weak) {
    const auto handler = weak.lock();
    return handler == nullptr || handler->client_half_closed(id_);
  });
  if (exchange_->responder_ != nullptr) exchange_->responder_->client_half_closed();
}

// bytes: all that is not used yet and does not stand in exchange_->input.
void Connection::process(std::string_view bytes) {
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
      case State::kLingering:
      case State::kClosed:
        more = false;
        break;
    }
  }
  processing_ = false;
  if (state_ == State::kIdle && clients_.retiring()) return retire();
  if (state_ == State::kBody && exchange_->output.empty()) set_body_deadline();
  if (state_ == State::kAnswering && exchange_->output.empty()) clients_.deadlines().clear(*this);
}

void Connection::begin_exchange(State state) {
  exchange_ = clients_.acquire_exchange();
  exchange_->client_ = this;
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
      if (exchange.input.empty()) {
        exchange.input.assign(bytes);
        clients_.deadlines().set(*this, clients_.limits().head_ms);
      }
      return {};
    case ParseState::kRefused:
      log_info("bad request from " + std::string(peer_address()) + " at byte " +
               std::to_string(exchange.parser.error_offset()) + ": " +
               std::string(exchange.parser.reason()));
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
  exchange.generation_ = clients_.generation();
  const Host& host = exchange.generation_->host(head.host.in(exchange.base_));
  exchange.host_name_ = host.name;
  AccessLog::request_fields(exchange.method(), exchange.path(), exchange.is_http10(),
                            exchange.log_request_);
  if (head.expect_other) {
    refuse(417, "Expect: only 100-continue is known");
    return {};
  }
  exchange.route_ = Generation::route(host, exchange.path());
  if (exchange.route_ == nullptr) {
    const bool body_unread = head.framing != BodyFraming::kNone;
    if (body_unread) {
      refuse(404, {});
      return {};
    }
    note_pipelined(rest);
    exchange.answer_status(404);
    return rest;
  }
  return begin_body(exchange.route_->target->body_policy(exchange), rest);
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
    retain_head();
    state_ = State::kBody;
  } else {
    state_ = State::kBody;
    start_target();
    if (state_ != State::kBody) return {};  // answered without its body
  }
  if (exchange_->head_.expect_continue && rest.empty()) exchange_->send(kContinue);
  return rest;
}

std::string_view Connection::take_body(std::string_view bytes) {
  BodyReader& reader = exchange_->body_reader;
  while (!bytes.empty() && !reader.done()) {
    const BodyReader::Step step = reader.read(bytes);
    bytes.remove_prefix(step.used);
    if (reader.failed()) {
      refuse(400, reader.reason());
      return {};
    }
    if (!step.data.empty()) {
      if (exchange_->responder_ != nullptr) {
        exchange_->responder_->body(step.data, false);
      } else if (!keep_body(step.data)) {
        return {};
      }
      if (state_ != State::kBody) return {};  // answered, or closed, before the body was complete
    }
    if (step.used == 0) break;
  }
  if (!reader.done()) return bytes;
  note_pipelined(bytes);
  if (exchange_->responder_ != nullptr) {
    state_ = State::kAnswering;
    exchange_->responder_->body({}, true);
  } else {
    exchange_->body_ = exchange_->body_buffer_;
    state_ = State::kAnswering;
    start_target();
  }
  return bytes;
}

bool Connection::keep_body(std::string_view piece) {
  const uint64_t limit = clients_.limits().content_length;
  if (exchange_->body_buffer_.size() + piece.size() > limit) {
    refuse(413, "a chunked body is above limits.content_length=" + std::to_string(limit));
    return false;
  }
  exchange_->body_buffer_.append(piece);
  return true;
}

// The head must outlive the read it came with.
void Connection::retain_head() {
  Exchange& exchange = *exchange_;
  if (exchange.input.empty()) {
    exchange.input.assign(exchange.base_, exchange.parser.head_bytes());
  } else {
    exchange.input.resize(exchange.parser.head_bytes());
  }
  exchange.base_ = exchange.input.data();
}

// A second request that is here before the first is answered (RFC 9112, 9.3.2 allows to close
// instead).
void Connection::note_pipelined(std::string_view rest) {
  // What follows a request to switch protocols is not a request, and messages wait for nothing.
  if (rest.empty() || clients_.limits().pipelining || exchange_->head_.upgrade || message_socket_) {
    return;
  }
  if (!close_after_) {
    log_info("pipelined request from " + std::string(peer_address()) +
             " not served: closing after this answer (setting pipelining=1 serves them)");
  }
  close_after_ = unread_input_ = true;
  exchange_->keep_alive_ = false;
}

void Connection::keep_for_later(std::string_view bytes) {
  note_pipelined(bytes);
  if (close_after_) return;
  exchange_->later.append(bytes);
  watch_as_needed();
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
  if (exchange.status_ != 0) return close(why);  // an answer had begun
  if (exchange.log_request_.empty()) {
    AccessLog::request_fields("-", "-", false, exchange.log_request_);
    exchange.host_name_ = "-";
  }
  state_ = State::kAnswering;
  exchange.answer_status(status, why);
}

void Connection::deadline_passed() {
  switch (state_) {
    case State::kIdle:
      return close("");
    case State::kHead:
      if (exchange_->input.empty()) return close("");
      return refuse(408, "no complete request head within limits.head_ms");
    case State::kMessage:
      return close("no complete message within limits.head_ms");
    case State::kBody:
      return refuse(408, "no part of the body within limits.body_ms");
    case State::kAnswering:
      if (half_closed_ && exchange_->output.empty()) {
        return close("no answer within limits.write_ms for a client that had closed its side");
      }
      [[fallthrough]];
    case State::kFlushing:
      return close("the client took nothing for limits.write_ms");
    case State::kSwitched:
      return switched_deadline_passed();
    case State::kLingering:
      return close("");
    case State::kClosed:
      return;
  }
}

}  // namespace m2
