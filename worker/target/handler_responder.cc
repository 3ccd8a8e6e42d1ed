#include "worker/target/handler_responder.h"

#include "common/log.h"
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

void HandlerResponder::begin(Exchange& exchange, std::shared_ptr<HandlerTarget> target) {
  if (!target->tell(exchange, {.method = {}, .fields = {}, .body = exchange.body()})) return;
  std::unique_ptr<HandlerResponder> responder;
  if (target->spare_.empty()) {
    responder = std::make_unique<HandlerResponder>();
  } else {
    responder = std::move(target->spare_.back());
    target->spare_.pop_back();
  }
  responder.release()->wait_for_answer(exchange, std::move(target));
}

void HandlerResponder::attach(Exchange& exchange, std::shared_ptr<HandlerTarget> target) {
  exchange_ = &exchange;
  target_ = std::move(target);
  id_ = exchange.client().id();
  reader_.start(exchange.is_head(), kAnswerHeadMax);
  exchange.set_responder(this);
}

void HandlerResponder::wait_for_answer(Exchange& exchange, std::shared_ptr<HandlerTarget> target) {
  attach(exchange, std::move(target));
  target_->link().owe(owed_, id_);
}

// Back to the pool; the target may go away with the last that waits for it.
void HandlerResponder::finish() {
  exchange_ = nullptr;
  owed_.settle();
  recycle();
}

void HandlerResponder::recycle() {
  std::unique_ptr<HandlerResponder> self(this);
  const std::shared_ptr<HandlerTarget> target = std::move(target_);
  if (target->spare_.size() < kSpareResponders) target->spare_.push_back(std::move(self));
}

void HandlerResponder::stop() { finish(); }

// A handler that had the request may answer yet: only the end of the connection keeps that answer
// from the next request on it. What is switched, or lasts until somebody closes it, goes on when
// handlers come back.
void HandlerResponder::refused(std::string_view why, int status) {
  Exchange& exchange = *exchange_;
  const std::string text = "handler pair " + target_->row().send_spec + ": " + std::string(why);
  const bool reached_none = status == 503;
  if (owed_.has_begun() && (reached_none || !has_end())) return;
  const bool begun = owed_.has_begun();
  finish();
  if (begun) return exchange.broken(text);
  exchange.set_responder(nullptr);
  if (!reached_none) exchange.set_keep_alive(false);
  exchange.answer_status(status, text, reached_none ? kRetry : std::string_view());
}

bool HandlerResponder::handler_reply(std::string_view body, HandlerMessage& message) {
  Exchange& exchange = *exchange_;
  if (body.empty()) {  // the kill message (manual 5.5): what was sent leaves, then the end
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
  const bool was_switched = reader_.state() == ResponseReader::State::kSwitched;
  owed_.answer_began();
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
  if (reader_.state() == ResponseReader::State::kSwitched && !was_switched) {
    switched();
    return true;
  }
  if (reader_.state() != ResponseReader::State::kComplete) return true;
  if (used < body.size()) {
    log_warn("handler pair " + target_->row().send_spec + " sent " +
             std::to_string(body.size() - used) + " bytes behind a complete answer; dropped");
  }
  const bool close = !reader_.keep_alive() || exchange.is_http10();
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

// A slow client keeps the message itself, not a copy.
void HandlerResponder::pass_on(std::string_view bytes, HandlerMessage& message) {
  exchange_->send(bytes, [&message] { return message.hold(); });
}

}  // namespace m2
