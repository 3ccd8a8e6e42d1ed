#include "worker/target/handler.h"

#include <cctype>

#include "common/log.h"
#include "proto/handler/request_writer.h"
#include "proto/handler/socket_message_writer.h"
#include "proto/message_socket/socket_message.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"

namespace m2 {
namespace {

constexpr uint32_t kAnswerHeadMax = 64 * 1024;
constexpr size_t kSpareResponders = 256;
constexpr std::string_view kRetry = "Retry-After: 1\r\n";

// ICY ("internet radio") answers declare no body and then stream one until somebody leaves.
bool is_icy_stream(std::string_view head) {
  for (size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    const std::string_view name = head.substr(at + 1, 11);
    if (name.size() == 11 && (name[0] | 0x20) == 'i' && (name[1] | 0x20) == 'c' &&
        (name[2] | 0x20) == 'y' && name.substr(3) == "-metaint") {
      return true;
    }
  }
  return false;
}

}  // namespace

HandlerTarget::HandlerTarget(const HandlerRow& row, std::shared_ptr<HandlerLink> link,
                             Uploads& uploads)
    : row_(row), link_(std::move(link)), uploads_(uploads) {}

HandlerTarget::~HandlerTarget() = default;

BodyPolicy HandlerTarget::body_policy(const Exchange& exchange) const {
  const bool large = exchange.head().content_length > exchange.generation().limits().content_length;
  return large && takes_larger(exchange) ? BodyPolicy::kStream : BodyPolicy::kWhole;
}

bool HandlerTarget::takes_larger(const Exchange& exchange) const {
  return exchange.generation().limits().uploads.accepted();
}

void HandlerTarget::start(Exchange& exchange) {
  if (exchange.body_follows()) {
    HandlerResponder* const responder = acquire().release();
    responder->begin(exchange, shared_from_this());
    return responder->begin_upload(uploads_);
  }
  ClientStream& client = exchange.client();
  const ConnectionId id = client.id();
  write_request({.send_ident = row_.send_ident,
                 .id = id,
                 .base = exchange.base(),
                 .head = &exchange.head(),
                 .pattern = exchange.route().pattern,
                 .remote_addr = client.peer_address(),
                 .body = exchange.body(),
                 .keep_client_xff = exchange.generation().limits().keep_client_xff},
                row_.protocol, message_);
  if (!link_->submit(id, message_)) {
    return exchange.answer_status(503, "the queue of handler pair " + row_.send_spec + " is full",
                                  kRetry);
  }
  client.remember_handler(shared_from_this());
  acquire().release()->begin(exchange, shared_from_this());
}

MessageTaken HandlerTarget::socket_message(Exchange& exchange, const SocketMessage& message) {
  ClientStream& client = exchange.client();
  const ConnectionId id = client.id();
  write_socket_message({.send_ident = row_.send_ident,
                        .id = id,
                        .path = message.path,
                        .method = message.kind == SocketMessageKind::kXml ? "XML" : "JSON",
                        .pattern = exchange.route().pattern,
                        .remote_addr = client.peer_address(),
                        .body = message.body},
                       row_.protocol, message_);
  if (!link_->submit(id, message_)) return MessageTaken::kFull;
  client.remember_handler(shared_from_this());
  return row_.raw_payload ? MessageTaken::kRaw : MessageTaken::kEncoded;
}

void HandlerTarget::client_left(ConnectionId id) {
  // A request that no handler has seen yet needs no notice, and no handler.
  if (link_->withdraw(id)) return;
  write_disconnect(row_.send_ident, id, row_.protocol, message_);
  link_->notify(id, message_);
}

bool HandlerTarget::client_half_closed(ConnectionId id) {
  if (link_->holds(id)) return false;
  client_left(id);
  return true;
}

std::unique_ptr<HandlerResponder> HandlerTarget::acquire() {
  if (spare_.empty()) return std::make_unique<HandlerResponder>();
  std::unique_ptr<HandlerResponder> responder = std::move(spare_.back());
  spare_.pop_back();
  return responder;
}

void HandlerResponder::begin(Exchange& exchange, std::shared_ptr<HandlerTarget> target) {
  exchange_ = &exchange;
  target_ = std::move(target);
  id_ = exchange.client().id();
  reader_.start(exchange.is_head(), kAnswerHeadMax);
  exchange.set_responder(this);
}

// Back to the pool; the target may go away with the last that waits for it.
void HandlerResponder::finish() {
  upload_.reset();
  exchange_ = nullptr;
  std::unique_ptr<HandlerResponder> self(this);
  const std::shared_ptr<HandlerTarget> target = std::move(target_);
  if (target->spare_.size() < kSpareResponders) target->spare_.push_back(std::move(self));
}

void HandlerResponder::stop() { finish(); }

void HandlerResponder::refused(std::string_view why) {
  Exchange& exchange = *exchange_;
  const std::string text = "handler pair " + target_->row().send_spec + ": " + std::string(why);
  if (upload_ != nullptr) upload_->refused();
  finish();
  exchange.set_responder(nullptr);
  exchange.answer_status(503, text, kRetry);
}

bool HandlerResponder::handler_reply(std::string_view body, HandlerMessage& message) {
  Exchange& exchange = *exchange_;
  if (body.empty()) {  // the kill message (manual 5.5): what was sent leaves, then the end
    answered();
    finish();
    exchange.set_keep_alive(false);
    exchange.complete();
    return true;
  }
  // One message may be of any size; who has not taken the ones before is too slow for another.
  const Limits& limits = exchange.generation().limits();
  if (exchange.unsent() > limits.handler_output_bytes) {
    const std::string why =
        "it has not taken " + std::to_string(exchange.unsent()) +
        " bytes, above handler.output_bytes=" + std::to_string(limits.handler_output_bytes);
    finish();
    exchange.broken(why);
    return true;
  }
  const uint64_t body_before = reader_.body_bytes();
  const size_t used = reader_.feed(body);
  const bool broken = reader_.state() == ResponseReader::State::kBroken;
  const bool icy = reader_.state() == ResponseReader::State::kComplete && reader_.has_length() &&
                   is_icy_stream(reader_.head());
  exchange.set_status(reader_.status());
  exchange.add_body_bytes(reader_.body_bytes() - body_before);
  // Raw bytes are the handler's to choose: what we cannot follow still reaches the client.
  pass_on(broken || icy ? body : body.substr(0, used), message);
  if (icy) {
    reader_.start(false, kAnswerHeadMax);
    reader_.feed("HTTP/1.0 200 OK\r\n\r\n");  // from here on: a body until the end
    return true;
  }
  if (broken) {
    const std::string why = "the answer of handler pair " + target_->row().send_spec +
                            " is not HTTP: " + std::string(reader_.reason());
    finish();
    exchange.broken(why);
    return true;
  }
  if (reader_.state() != ResponseReader::State::kComplete) return true;
  if (used < body.size()) {
    log_warn("handler pair " + target_->row().send_spec + " sent " +
             std::to_string(body.size() - used) + " bytes behind a complete answer; dropped");
  }
  const bool close = !reader_.keep_alive() || exchange.is_http10();
  answered();
  // Somebody else may have answered while the request still waited for a handler.
  target_->link().withdraw(id_);
  finish();
  // Mongrel2 1.x leaves closing to the handler; close_after_answer=0 does so too.
  if (limits.close_after_answer) {
    if (close) exchange.set_keep_alive(false);
  } else {
    exchange.set_keep_alive(true);
  }
  exchange.complete();
  return true;
}

void HandlerResponder::begin_upload(Uploads& uploads) {
  Uploads::Begun begun =
      uploads.begin({*exchange_, target_->row(), target_->link(), *this}, target_);
  upload_ = std::move(begun.upload);
  if (upload_ == nullptr) upload_failed(begun.status, std::move(begun.why));
}

// The connection goes too: so handlers that were told of the upload hear of its end.
void HandlerResponder::upload_failed(int status, std::string why) {
  Exchange& exchange = *exchange_;
  finish();
  exchange.set_responder(nullptr);
  if (exchange.status() != 0) return exchange.broken(why);
  exchange.set_keep_alive(false);
  exchange.answer_status(status, why, status == 503 ? kRetry : "");
}

void HandlerResponder::credits(uint64_t count) {
  if (upload_ != nullptr) upload_->credits(count);
}

// A handler that ends an upload itself, by an answer or a kill message, is not told that it has
// ended.
void HandlerResponder::answered() {
  if (owes_request()) exchange_->client().forget_handler(*target_);
  upload_.reset();
}

// A slow client keeps the message itself, not a copy.
void HandlerResponder::pass_on(std::string_view bytes, HandlerMessage& message) {
  exchange_->send(bytes, [&message] { return message.hold(); });
}

}  // namespace m2
