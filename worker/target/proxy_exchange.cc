// The gateway rules of RFC 9110 and 9112 for one exchange. Every path that ends the exchange gives
// connection and object back first: the client's next request may begin within that last call.
#include "worker/target/proxy_exchange.h"

#include <array>
#include <charconv>

#include "common/log.h"
#include "proto/http/gateway_request.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/proxy.h"

namespace m2 {
namespace {

using Cause = BackendEnd::Cause;
using State = ResponseReader::State;

// The client is not read while the backend has this much to take: one read of the client may come
// on top.
constexpr size_t kUnsentMax = 64 * 1024;
// The backend is not read while the client has this much to take, likewise.
constexpr uint64_t kAnswerUnsentMax = 256 * 1024;
constexpr size_t kKeptBytes = 16 * 1024;  // memory that an unused object may keep

// "1f40\r\n"; out: at least 18 bytes.
std::string_view write_chunk_size(size_t size, std::array<char, 18>& out) {
  char* end = std::to_chars(out.data(), out.data() + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {out.data(), static_cast<size_t>(end - out.data())};
}

void clear_buffer(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBytes) buffer.shrink_to_fit();
}

bool ends_in_blank_line(std::string_view text) {
  return text.ends_with("\n\r\n") || text.ends_with("\n\n");
}

int status_of(Cause cause) {
  switch (cause) {
    case Cause::kClosed:
    case Cause::kFailed:
    case Cause::kUnreachable:
      return 502;
    case Cause::kSilent:
    case Cause::kNoConnect:
      return 504;
    case Cause::kExhausted:
      return 503;
  }
  return 502;
}

}  // namespace

void ProxyExchange::begin(Exchange& exchange) {
  exchange_ = &exchange;
  const bool written =
      write_gateway_request({.head = &exchange.head(),
                             .base = exchange.base(),
                             .peer = exchange.client_address(),
                             .peer_is_origin = exchange.is_forwarded(),
                             .keep_client_xff = exchange.generation().limits().keep_client_xff},
                            head_);
  if (!written) return give_up(400, "Connection names more fields than a gateway looks for");
  framing_ = exchange.head().framing;
  body_done_ = framing_ == BodyFraming::kNone;
  repeatable_ = body_done_ && is_idempotent(exchange.method());
  reader_.start(exchange.is_head(), proxy_.pool_.limits().head_bytes_max);
  BackendEnd end;
  const auto use = repeatable_ ? BackendPool::Use::kIdle : BackendPool::Use::kCheckedIdle;
  connection_ = proxy_.pool_.acquire(*this, use, end);
  if (connection_ == nullptr) return fail(end.cause, end.why);
  exchange.set_responder(this);
  if (body_done_) return send_head();
  head_waits_ = true;
  proxy_.hold_head(*this);
}

void ProxyExchange::send_head() {
  const std::string_view head = head_;
  connection_->send({&head, 1});
  connection_->expect_answer();
}

void ProxyExchange::send_held_head() {
  if (!head_waits_) return;
  head_waits_ = false;
  const std::string_view head = head_;
  connection_->send({&head, 1});
}

void ProxyExchange::body(std::string_view bytes, bool last) {
  std::array<std::string_view, 4> pieces;
  size_t count = 0;
  if (head_waits_) pieces[count++] = head_;
  head_waits_ = false;
  std::array<char, 18> size;
  if (!bytes.empty()) {
    const bool chunked = framing_ == BodyFraming::kChunked;
    if (chunked) pieces[count++] = write_chunk_size(bytes.size(), size);
    pieces[count++] = bytes;
    if (chunked) pieces[count++] = "\r\n";
  } else if (last && framing_ == BodyFraming::kChunked) {
    pieces[count++] = "0\r\n\r\n";
  }
  if (count > 0) connection_->send({pieces.data(), count});
  if (last) {
    body_done_ = true;
    connection_->expect_answer();
  } else if (connection_->unsent() > kUnsentMax && !client_paused_) {
    client_paused_ = true;
    exchange_->client().set_body_paused(true);
  }
  // pull() comes only when the body is complete, and the client may have taken all before.
  if (exchange_->unsent() == 0) connection_->pause_reading(false);
}

void ProxyExchange::backend_drained() {
  if (!client_paused_) return;
  client_paused_ = false;
  exchange_->client().set_body_paused(false);
}

void ProxyExchange::pull() { connection_->pause_reading(false); }

void ProxyExchange::stop() {
  connection_->close();
  finish();
}

void ProxyExchange::backend_received(std::string_view bytes) {
  const uint64_t body_before = reader_.body_bytes();
  const size_t used = reader_.feed(bytes);
  switch (reader_.state()) {
    case State::kHead:
      return hold_answer(bytes);
    case State::kSwitched:  // no Upgrade field reached the backend
    case State::kBroken: {
      const std::string_view why = reader_.state() == State::kSwitched
                                       ? "101 Switching Protocols without being asked to"
                                       : reader_.reason();
      const std::string reason = connection_->name() + ": " + std::string(why);
      connection_->close();
      return give_up(502, reason);
    }
    case State::kBody:
    case State::kUntilClose:
    case State::kComplete:
      break;
  }
  exchange_->add_body_bytes(reader_.body_bytes() - body_before);
  pass_on(bytes.substr(0, used));
  if (reader_.state() == State::kComplete) return answer_ended(used == bytes.size());
  if (exchange_->unsent() > kAnswerUnsentMax) connection_->pause_reading(true);
}

// Nothing of an answer that may still turn out to be none goes out; interim answers do at once.
void ProxyExchange::hold_answer(std::string_view bytes) {
  held_.append(bytes);
  if (!ends_in_blank_line(held_)) return;
  // RFC 9110 15.2: HTTP/1.0 clients get none.
  if (!exchange_->is_http10()) exchange_->send(held_);
  held_.clear();
}

void ProxyExchange::pass_on(std::string_view bytes) {
  if (answered_) return exchange_->send(bytes);
  answered_ = true;
  exchange_->set_status(reader_.status());
  const bool with_interim = exchange_->is_http10() && !bytes.starts_with(reader_.head());
  if (held_.empty() && !with_interim) return exchange_->send(bytes);
  held_.append(bytes);
  std::string_view all = held_;
  if (exchange_->is_http10()) all.remove_prefix(all.find(reader_.head()));
  exchange_->send(all);
  clear_buffer(held_);
}

// connection_clean: nothing came behind the answer.
void ProxyExchange::answer_ended(bool connection_clean) {
  Exchange& exchange = *exchange_;
  const bool http10 = exchange.is_http10();
  // The client was told what the backend said about keep-alive, and must find it so.
  if (!reader_.keep_alive() || http10) exchange.set_keep_alive(false);
  if (connection_ != nullptr) {
    connection_->release(reader_.keep_alive() && !http10 && connection_clean && body_done_);
  }
  finish();
  exchange.complete();
}

void ProxyExchange::backend_ended(const BackendEnd& end) {
  connection_ = nullptr;
  if (end.stale && repeatable_ && (end.cause == Cause::kClosed || end.cause == Cause::kFailed)) {
    return repeat();
  }
  if (end.cause == Cause::kClosed && reader_.end_of_input()) return answer_ended(false);
  if (end.cause != Cause::kClosed) return fail(end.cause, end.why);
  fail(end.cause, end.why + (answered_ ? " within its answer" : " without an answer"));
}

// The backend closed a connection while it was idle, and the request met that on its way. Once
// only: a new connection is never stale.
void ProxyExchange::repeat() {
  BackendEnd end;
  connection_ = proxy_.pool_.acquire(*this, BackendPool::Use::kNew, end);
  if (connection_ == nullptr) return fail(end.cause, end.why);
  send_head();
}

void ProxyExchange::fail(Cause cause, std::string_view why) { give_up(status_of(cause), why); }

void ProxyExchange::give_up(int status, std::string_view why) {
  Exchange& exchange = *exchange_;
  const bool answered = answered_;
  const std::string reason(why);  // may lie in what finish() clears
  finish();
  exchange.set_responder(nullptr);
  if (answered) return exchange.broken(reason);
  exchange.answer_status(status, reason, status == 503 ? "Retry-After: 1\r\n" : "");
}

// Ready for another request.
void ProxyExchange::finish() {
  exchange_ = nullptr;
  connection_ = nullptr;
  head_waits_ = answered_ = client_paused_ = false;
  clear_buffer(head_);
  clear_buffer(held_);
  proxy_.recycle(*this);
}

}  // namespace m2
