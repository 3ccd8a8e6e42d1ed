// The output side of a connection: answers to the socket, and what happens when one has ended.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/target/target.h"

namespace m2 {
namespace {

// How long a client may go on sending what nobody reads, so that it can read our last answer.
constexpr uint64_t kLingerMs = 2000;
// And how many bytes of it are read. More than what can be on its way when the client hears of our
// end, a full send buffer there and a full receive buffer here (the kernel's largest by default: 4
// and 6 MB), says that it does not listen.
constexpr uint32_t kThrownAwayMax = 10 << 20;
// How long a stop waits for clients that say nothing: just connected, or closed on their side.
constexpr uint64_t kSilentMs = 1000;

}  // namespace

size_t Connection::send_now(std::string_view bytes) {
  if (state_ == State::kClosed) return bytes.size();  // nobody there to take it
  if (!doomed_) {
    if (!exchange_->output.empty()) return 0;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      traffic_.note_written(clients_.loop().now(), static_cast<uint64_t>(sent));
      if (exchange_->credits_to_ != nullptr) give_credits(static_cast<uint64_t>(sent));
      return static_cast<size_t>(sent);
    }
    if (errno == EAGAIN || errno == EINTR) return 0;
    socket_failed();
  }
  exchange_->lost_bytes_ += bytes.size();
  return bytes.size();
}

void Connection::enqueue(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (doomed_ || state_ == State::kClosed) return;
  exchange_->output.add(bytes, std::move(owner));
  if (!exchange_->output_held) output_waits();
}

void Connection::enqueue_file(std::shared_ptr<const SentFile> file, uint64_t offset,
                              uint64_t length) {
  if (state_ == State::kClosed) return;
  if (doomed_) {
    exchange_->lost_bytes_ += length;
    return;
  }
  exchange_->output.add_file(std::move(file), offset, length);
  if (!exchange_->output_held) output_waits();
}

// A target may be in the middle of using the exchange: the end comes when the turn is over.
void Connection::socket_failed() {
  doomed_ = true;
  clients_.doom(*this);
}

void Connection::watch_as_needed() {
  int events = 0;
  if (!half_closed_ && !body_paused_ && !has_later()) events |= EV_READ;
  if (exchange_ != nullptr && !exchange_->output.empty()) events |= EV_WRITE;
  io_.set_events(events);
}

void Connection::flush() {
  if (exchange_ == nullptr) return watch_as_needed();
  const uint64_t before = exchange_->output.bytes();
  const OutputQueue::Flush flushed = exchange_->output.flush(socket_.get());
  const uint64_t left = before - exchange_->output.bytes();
  traffic_.note_written(clients_.loop().now(), left);
  if (exchange_->credits_to_ != nullptr) give_credits(left);
  if (exchange_->burst_since_ != 0) look_at_burst();
  switch (flushed) {
    case OutputQueue::Flush::kBroken:
      return close("the client is gone, or a file was truncated");
    case OutputQueue::Flush::kBlocked:
      output_waits();
      exchange_->write_flushed += static_cast<int64_t>(before - exchange_->output.bytes());
      return;
    case OutputQueue::Flush::kEmpty:
      exchange_->write_watched = false;
      break;
  }
  watch_as_needed();
  if (state_ == State::kFlushing) return exchange_ended();
  if (state_ == State::kHead || state_ == State::kMessage) {
    clients_.deadlines().set(*this, clients_.limits().head_ms);
  } else if (state_ == State::kBody) {
    exchange_->body_until = 0;
    set_body_deadline(0);
  } else if (state_ == State::kSwitched) {
    exchange_->write_until = 0;
    set_switched_deadline();
  } else if (!half_closed_) {
    clients_.deadlines().clear(*this);
  }
  if (exchange_->responder_ != nullptr) exchange_->responder_->pull();
}

void Connection::answer_complete() {
  if (exchange_->body_follows() || state_ == State::kSwitched) {  // there may be more to come
    exchange_->keep_alive_ = false;
    unread_input_ = true;
  }
  exchange_->responder_ = nullptr;
  state_ = State::kFlushing;
  if (doomed_) return;
  if (!exchange_->output.empty()) return flush();
  exchange_ended();
}

void Connection::abandon(std::string_view why) {
  clients_.notes().write("closing " + std::string(peer_address()) + ": " + std::string(why));
  close("");
}

void Connection::answer_broken(std::string_view why) {
  if (clients_.faults().admits()) {
    log_info("closing " + std::string(peer_address()) + ": " + std::string(why));
  }
  close_after_ = true;
  answer_complete();
}

// Everything owed has left.
void Connection::exchange_ended() {
  const bool keep =
      exchange_->keep_alive_ && !close_after_ && !half_closed_ && !clients_.draining();
  write_access_log();
  const bool surprising = close_after_ || half_closed_ || unread_input_ || clients_.draining();
  if (exchange_->ends_as_agreed_ && !surprising) part_from_handlers();
  if (!keep) return unread_input_ && !half_closed_ ? linger() : close("");
  const std::string later = std::move(exchange_->later);
  clients_.release_exchange(std::move(exchange_));
  state_ = State::kIdle;
  served_ = true;
  body_paused_ = false;
  watch_as_needed();
  clients_.deadlines().set(*this, clients_.limits().idle_ms);
  if (!later.empty() && !processing_) return process(later);
  if (clients_.retiring() && !processing_) retire();
}

// Our answer would be lost if the socket were closed with unread input in it (RFC 9112, 9.6).
void Connection::linger() {
  clients_.release_exchange(std::move(exchange_));
  state_ = State::kLingering;
  body_paused_ = false;
  ::shutdown(socket_.get(), SHUT_WR);
  if (!tells_at_close_) tell_handlers();
  watch_as_needed();
  clients_.deadlines().set(*this, kLingerMs);
}

// Behind the last answer of the connection, or the one that will be the last.
void Connection::throw_away(size_t bytes) {
  thrown_away_ += static_cast<uint32_t>(bytes);
  if (thrown_away_ < kThrownAwayMax) return;
  if (state_ == State::kLingering) return close("it went on sending what nobody reads");
  body_paused_ = true;  // until the answer has left
  watch_as_needed();
}

void Connection::set_body_paused(bool paused) {
  body_paused_ = paused;
  watch_as_needed();
  if (state_ != State::kBody) return;
  exchange_->body_until = 0;  // what has passed meanwhile was not the client's to use
  if (!processing_ && !exchange_->write_watched) set_body_deadline(0);
  ask_for_body();
}

void Connection::note(int status, std::string_view line) {
  // Backends and handlers that fail must be heard of among clients that do.
  if (!(status >= 500 ? clients_.faults() : clients_.notes()).admits()) return;
  std::string text(line);
  text.append(" (client ");
  if (exchange_ == nullptr) return log_info(text.append(peer_address()).append(")"));
  text.append(exchange_->client_address());
  if (exchange_->route_ != nullptr) text.append(", route ").append(exchange_->route_->pattern);
  const RequestId id = exchange_->request_id();
  if (id != 0) text.append(", request ").append(RequestIdText(id).view());
  log_info(text.append(")"));
}

int Connection::kind() const {
  if (state_ == State::kSwitched) return 3;
  if (message_socket_) return 2;
  return traffic_.bytes_read > 0 ? 1 : 0;
}

std::string_view Connection::date() { return clients_.date(); }

void Connection::retire() {
  if (state_ == State::kSwitched) return exchange_->responder_->draining();
  const bool nothing_read = state_ == State::kProxyHeader && exchange_ == nullptr;
  if (state_ != State::kIdle && !nothing_read) return;
  // What handlers know it by would change under them; it connects again.
  if (message_socket_) return close("the worker ends");
  ClientPeer peer;
  peer.address = peer_ip_;
  peer.port = peer_port_;
  peer.sends_proxy_header = nothing_read;
  peer.over_tls = https_;
  io_.stop();
  clients_.pass_on(std::move(socket_), peer);
  close("");
}

void Connection::drain() {
  close_after_ = true;
  if (exchange_ != nullptr) exchange_->keep_alive_ = false;
  if (state_ == State::kLingering) return close("");
  // Perhaps it has only shut down its sending side; more likely it is gone, and no stop should
  // wait.
  if (state_ == State::kSwitched) return exchange_->responder_->draining();
  if (half_closed_) return clients_.deadlines().set(*this, kSilentMs);
  if (state_ != State::kIdle && state_ != State::kProxyHeader) return;
  // A request may lie in the socket already. Who has connected and not asked yet gets a moment
  // more.
  read_input();
  if (state_ != State::kIdle && state_ != State::kProxyHeader) return;
  if (served_) return close("");
  clients_.deadlines().set(*this, kSilentMs);
}

void Connection::close(std::string_view why) {
  if (state_ == State::kClosed) return;
  if (!why.empty() && log_enabled(LogLevel::kDebug)) {
    log_debug("closing " + std::string(peer_address()) + ": " + std::string(why));
  }
  if (exchange_ != nullptr) {
    const bool begun = exchange_->responder_ != nullptr || state_ == State::kAnswering ||
                       state_ == State::kFlushing || state_ == State::kSwitched;
    if (exchange_->responder_ != nullptr) std::exchange(exchange_->responder_, nullptr)->stop();
    if (begun) write_access_log();
    report_dropped();
    clients_.release_exchange(std::move(exchange_));
  }
  state_ = State::kClosed;
  tell_handlers();
  io_.stop();
  socket_.reset();
  clients_.deadlines().clear(*this);
  clients_.bury(*this);
}

// What the logs will say of it. head: nullptr when it could not be read.
void Connection::number_request(const RequestHead* head) {
  const Generation& generation = *clients_.generation();
  if (generation.limits().request_ids) exchange_->request_id_ = clients_.give_request_id();
  exchange_->began_ = clients_.loop().now();
  note_request(generation.access_log_form(), head, exchange_->base_, exchange_->logged_);
}

// When the last byte has left or the connection ends, so that the line says what left. The body
// goes out last: what did not leave is taken off it.
void Connection::write_access_log() {
  report_dropped();
  if (exchange_->logged_.text.empty()) return;  // a message of a socket, or it is written already
  const uint64_t unsent = exchange_->output.bytes() + exchange_->lost_bytes_;
  const uint64_t body = exchange_->answer_body_bytes_;
  clients_.access_log().add({.host = exchange_->host_name_,
                             .peer = exchange_->client_address(),
                             .peer_port = exchange_->is_forwarded() ? uint16_t{0} : peer_port_,
                             .request = exchange_->logged_,
                             .status = exchange_->status_,
                             .bytes = body - std::min(body, unsent),
                             .request_id = exchange_->request_id_,
                             .took = clients_.loop().now() - exchange_->began_,
                             .now = clients_.loop().wall()});
  exchange_->logged_.text.clear();
}

}  // namespace m2
