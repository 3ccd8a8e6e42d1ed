// The request's side of a ProxyExchange, and its ends. Every path that ends the exchange gives
// connection and object back first: the client's next request may begin within that last call.
#include "worker/target/proxy_exchange.h"

#include <array>
#include <charconv>

#include "common/log.h"
#include "common/log_limit.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/proxy.h"

namespace m2 {
namespace {

using Cause = BackendEnd::Cause;
using Use = BackendPool::Use;

// The client is not read while the backend has this much to take: one read of the client may come
// on top.
constexpr size_t kUnsentMax = 64 * 1024;
constexpr size_t kKeptBytes = 16 * 1024;  // memory that an unused object may keep
// A client that waits for 100 (Continue) waits this long for the backend's, then gets ours.
constexpr uint64_t kContinueMs = 1000;

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
  const RequestHead& head = exchange.head();
  const GatewayVerdict verdict =
      write_gateway_request({.head = &head,
                             .base = exchange.base(),
                             .peer = exchange.client_address(),
                             .peer_is_origin = exchange.is_forwarded(),
                             .peer_is_trusted = exchange.peer_is_trusted(),
                             .scheme = exchange.scheme(),
                             .keep_client_xff = exchange.generation().limits().keep_client_xff,
                             .via = proxy_.limits_.via,
                             .request_id = exchange.request_id(),
                             .default_host = exchange.route().host->name},
                            head_);
  if (verdict != GatewayVerdict::kForward) return answer_here(verdict);
  framing_ = head.framing;
  body_done_ = framing_ == BodyFraming::kNone;
  idempotent_ = is_idempotent(exchange.method());
  upgrade_ = forwards_upgrade(head, exchange.base());
  expects_ = head.expect_continue && !body_done_;
  keeps_trailers_ =
      framing_ == BodyFraming::kChunked && !connection_names_fields(head, exchange.base());
  reader_.start(exchange.is_head(), proxy_.limits_.head_bytes_max);
  proxy_.balancer_.request_begins();
  if (!connect(idempotent_ && body_done_ ? Use::kIdle : Use::kCheckedIdle)) return;
  exchange.set_responder(this);
  if (body_done_) {
    const std::string_view whole = head_;
    connection_->send({&whole, 1});
    return connection_->expect_answer();
  }
  head_waits_ = true;
  proxy_.hold_head(*this);
  if (!expects_) return;
  exchange.leave_continue();
  proxy_.deadlines_.set(*this, kContinueMs);
}

void ProxyExchange::answer_here(GatewayVerdict verdict) {
  switch (verdict) {
    case GatewayVerdict::kForward:
      return;
    case GatewayVerdict::kTooManyNames:
      return give_up(400, "Connection names more fields than a gateway looks for");
    case GatewayVerdict::kBadForwards:
      return give_up(400, "Max-Forwards is not one number (RFC 9110 7.6.2)");
    case GatewayVerdict::kAnswerHere:
      break;
  }
  Exchange& exchange = *exchange_;
  finish();
  exchange.answer_status(200, {}, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
}

// To the next backend, and the one after it as long as that is allowed. False: the exchange has
// ended with an error.
bool ProxyExchange::connect(Use use) {
  for (;;) {
    backend_ = &proxy_.balancer_.pick(visited_);
    BackendEnd end;
    connection_ = backend_->pool.acquire(*this, use, end);
    if (connection_ != nullptr) return true;
    if (!moves(end)) {
      fail(end.cause, end.why);
      return false;
    }
  }
}

// Notes that the backend has failed. True: the request may go to another one. Nobody has seen it
// yet, or it may be repeated and nothing of its answer and of its body has passed.
bool ProxyExchange::moves(const BackendEnd& end) {
  Balancer& balancer = proxy_.balancer_;
  if (end.cause != Cause::kExhausted && !end.is_stale()) balancer.failed(*backend_, end.why);
  const bool safe =
      end.never_connected() || (end.is_end() && idempotent_ && !body_passed_ && !end.received);
  if (!safe || !balancer.may_move(visited_, *backend_)) return false;
  static LogLimit limit("requests that another backend is tried for");
  limit.write(end.why + "; trying another backend");
  return true;
}

// What an earlier connection was sent, to the new one.
void ProxyExchange::send_again(std::string_view sent) {
  if (!sent.empty()) connection_->send({&sent, 1});
  if (body_done_) connection_->expect_answer();
  if (client_paused_ && connection_->unsent() == 0) backend_drained();
}

void ProxyExchange::send_held_head() {
  if (!head_waits_) return;
  head_waits_ = false;
  const std::string_view head = head_;
  connection_->send({&head, 1});
}

void ProxyExchange::body(std::string_view bytes, bool last) {
  if (tunnel_) {
    heard_at_s_ = proxy_.loop_.now();
    if (!bytes.empty()) connection_->send({&bytes, 1});
    if (last) return connection_->finish_sending();
    return pause_client_if_behind();
  }
  std::array<std::string_view, 4> pieces;
  size_t count = 0;
  if (head_waits_) pieces[count++] = head_;
  head_waits_ = false;
  const bool chunked = framing_ == BodyFraming::kChunked;
  std::array<char, 18> size;
  std::string trailers;
  if (!bytes.empty()) {
    expects_ = false;
    if (chunked) pieces[count++] = write_chunk_size(bytes.size(), size);
    pieces[count++] = bytes;
    if (chunked) pieces[count++] = "\r\n";
  } else if (last && chunked) {
    pieces[count++] = "0\r\n";
    append_gateway_trailers(keeps_trailers_ ? exchange_->trailers() : "\r\n", trailers);
    pieces[count++] = trailers;
  }
  body_passed_ = body_passed_ || !bytes.empty() || (last && chunked);
  if (count > 0) connection_->send({pieces.data(), count});
  if (last) {
    body_done_ = true;
    connection_->expect_answer();
  } else {
    pause_client_if_behind();
  }
  // pull() comes only when the body is complete, and the client may have taken all before.
  if (exchange_->unsent() == 0) connection_->pause_reading(false);
}

void ProxyExchange::pause_client_if_behind() {
  if (connection_->unsent() <= kUnsentMax || client_paused_) return;
  client_paused_ = true;
  exchange_->client().set_body_paused(true);
}

void ProxyExchange::backend_drained() {
  if (!client_paused_) return;
  client_paused_ = false;
  exchange_->client().set_body_paused(false);
}

// Neither the backend nor the client has said a word about the body.
void ProxyExchange::deadline_passed() {
  if (exchange_ == nullptr || !expects_ || answered_) return;
  expects_ = false;
  exchange_->send("HTTP/1.1 100 Continue\r\n\r\n");
}

void ProxyExchange::pull() { connection_->pause_reading(false); }

void ProxyExchange::stop() {
  connection_->close();
  finish();
}

void ProxyExchange::backend_ended(const BackendEnd& end) {
  connection_ = nullptr;
  if (tunnel_) return tunnel_ended();
  if (end.cause == Cause::kClosed && reader_.end_of_input()) return answer_ended(false);
  // The backend closed a connection while it was idle, and the request met that on its way. Once
  // only, and no fault: a new connection is never stale.
  if (end.is_stale() && idempotent_ && !body_passed_) {
    reader_.start(exchange_->is_head(), proxy_.limits_.head_bytes_max);
    BackendEnd failed;
    connection_ = backend_->pool.acquire(*this, Use::kNew, failed);
    if (connection_ != nullptr) return send_again(head_waits_ ? std::string_view() : head_);
    if (!moves(failed)) return fail(failed.cause, failed.why);
    if (connect(Use::kIdle)) send_again(head_waits_ ? std::string_view() : head_);
    return;
  }
  if (answered_) return fail(end.cause, end.why + " within its answer");
  if (!moves(end)) {
    return fail(end.cause, end.why + (end.cause == Cause::kClosed ? " without an answer" : ""));
  }
  reader_.start(exchange_->is_head(), proxy_.limits_.head_bytes_max);
  const bool unseen = end.never_connected();
  // What cannot be repeated needs a connection that is known to live.
  if (!connect(idempotent_ && body_done_ && !body_passed_ ? Use::kIdle : Use::kCheckedIdle)) return;
  if (unseen) return send_again(end.unsent);
  send_again(head_waits_ ? std::string_view() : head_);
}

void ProxyExchange::fail(Cause cause, std::string_view why) { give_up(status_of(cause), why); }

void ProxyExchange::bad_answer(std::string_view why) {
  const std::string reason = connection_->name() + ": " + std::string(why);
  connection_->close();
  if (!answered_) proxy_.balancer_.failed(*backend_, reason);
  give_up(502, reason);
}

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
  backend_ = nullptr;
  visited_ = 0;
  head_waits_ = body_passed_ = body_done_ = upgrade_ = expects_ = false;
  keeps_trailers_ = drops_trailers_ = decodes_ = answered_ = tunnel_ = client_paused_ = false;
  clear_buffer(head_);
  clear_buffer(out_);
  reader_.drop_head();
  proxy_.deadlines_.clear(*this);
  proxy_.recycle(*this);
}

}  // namespace m2
