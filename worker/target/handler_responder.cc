#include "worker/target/handler_responder.h"

#include "common/log.h"
#include "common/log_limit.h"
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

// Makes a reader take all that comes for a body until the end.
void read_until_close(ResponseReader& reader) {
  reader.start(false, kAnswerHeadMax);
  reader.feed("HTTP/1.0 200 OK\r\n\r\n");
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
  exchange.forget_request();
  responder.release()->wait_for_answer(exchange, std::move(target));
}

void HandlerResponder::attach(Exchange& exchange, std::shared_ptr<HandlerTarget> target) {
  exchange_ = &exchange;
  target_ = std::move(target);
  id_ = exchange.client().id();
  owed_.set_timeout(exchange.route().timeout_ms);
  handed_over_ = stream_ = false;
  reader_.start(exchange.is_head(), kAnswerHeadMax);
  exchange.set_responder(this);
}

void HandlerResponder::wait_for_answer(Exchange& exchange, std::shared_ptr<HandlerTarget> target) {
  attach(exchange, std::move(target));
  target_->link().owe(owed_, id_);
}

// Back to the pool; the target may go away with the last that waits for it.
void HandlerResponder::finish() {
  exchange_->set_responder(nullptr);
  exchange_ = nullptr;
  owed_.settle();
  recycle();
}

void HandlerResponder::recycle() {
  std::unique_ptr<HandlerResponder> self(this);
  const std::shared_ptr<HandlerTarget> target = std::move(target_);
  if (target->spare_.size() < kSpareResponders) target->spare_.push_back(std::move(self));
}

void HandlerResponder::stop() {
  exchange_ = nullptr;
  owed_.settle();
  recycle();
}

std::string HandlerResponder::in_words(std::string_view what) const {
  return "the answer of handler pair " + target_->row().send_spec + " to connection " +
         std::to_string(id_) + " " + std::string(what);
}

void HandlerResponder::end_broken(std::string_view why) {
  Exchange& exchange = *exchange_;
  const std::string text = in_words(why);
  finish();
  exchange.broken(text);
}

// A handler that had the request may answer yet: only the end of the connection keeps that answer
// from the next request on it. An answer without an end of its own goes on when a part of it may be
// lost, but not without handlers: its client would wait for ever.
void HandlerResponder::refused(std::string_view why, int status) {
  Exchange& exchange = *exchange_;
  const std::string text = "handler pair " + target_->row().send_spec + ": " + std::string(why);
  const bool reached_none = status == 503;
  const bool begun = owed_.has_begun();
  if (begun && (reached_none || !(has_end() || owed_.handlers_gone()))) return;
  finish();
  if (begun) return exchange.broken(text);
  if (!reached_none) exchange.set_keep_alive(false);
  exchange.answer_status(status, text, reached_none ? kRetry : std::string_view());
}

void HandlerResponder::let_go(std::string_view why) {
  if (owed_.has_begun()) return end_broken("ends before it is complete: " + std::string(why));
  target_->link().withdraw(id_);
  refused(why, 503);
}

bool HandlerResponder::handler_reply(std::string_view body, HandlerMessage& message) {
  if (body.empty()) {
    closed_by_handler();
    return true;
  }
  // What comes before any handler was told of this request answers an earlier one.
  if (!handed_over_ && target_->link().holds(id_)) return false;
  handed_over_ = true;
  switch (exchange_->room_for(target_->row(), body.size(), stream_)) {
    case Exchange::Room::kThere:
      follow(body, message);
      break;
    case Exchange::Room::kDrop:
      break;
    case Exchange::Room::kNone: {
      Exchange& exchange = *exchange_;
      const std::string text = "handler pair " + target_->row().send_spec + ", connection " +
                               std::to_string(id_) + ": " + exchange.too_slow();
      finish();
      exchange.client().abandon(text);
      break;
    }
  }
  return true;
}

// The zero-length message (manual 5.5): what was sent leaves, then the end.
void HandlerResponder::closed_by_handler() {
  if (reader_.state() == ResponseReader::State::kBody) {
    static LogLimit limit("answers that handlers ended", LogLevel::kWarn);
    limit.write(in_words("was ended by its handler before it was complete"));
  }
  Exchange& exchange = *exchange_;
  target_->link().withdraw(id_);
  finish();
  exchange.set_keep_alive(false);
  exchange.complete();
}

void HandlerResponder::follow(std::string_view body, HandlerMessage& message) {
  using State = ResponseReader::State;
  owed_.answer_came();
  if (stream_) {
    exchange_->add_body_bytes(body.size());
    return send(body, message);
  }
  const bool begins = reader_.state() == State::kHead && !exchange_->status();
  const State before = reader_.state();
  if (begins && body.starts_with("ICY ")) {
    read_until_close(reader_);
    stream_ = true;
    exchange_->set_status(200);
    return send(body, message);
  }
  const uint64_t body_before = reader_.body_bytes();
  const size_t used = reader_.feed(body);
  const bool icy =
      reader_.state() == State::kComplete && reader_.has_length() && is_icy_stream(reader_.head());
  if (reader_.status() != 0) exchange_->set_status(reader_.status());
  exchange_->add_body_bytes(reader_.body_bytes() - body_before);
  if (icy) {
    read_until_close(reader_);
    stream_ = true;
    return send(body, message);
  }
  switch (reader_.state()) {
    case State::kBroken:
      // Raw bytes are the handler's to choose: what we cannot follow still reaches the client.
      send(body, message);
      return end_broken("is not HTTP: " + std::string(reader_.reason()));
    case State::kComplete:
      send(body.substr(0, used), message);
      return answer_complete(body.size() - used);
    case State::kSwitched:
      send(body, message);
      if (before != State::kSwitched) switched();
      return;
    case State::kUntilClose:
      send(body, message);
      stream_ = true;
      return;
    case State::kHead:
    case State::kBody:
      return send(body, message);
  }
}

void HandlerResponder::answer_complete(size_t bytes_behind) {
  if (bytes_behind != 0 && target_->count_surplus()) {
    log_warn(in_words("is complete, and " + std::to_string(bytes_behind) +
                      " bytes came behind it in the same message; dropped (so far: " +
                      std::to_string(target_->surplus()) + ")"));
  }
  Exchange& exchange = *exchange_;
  const bool close = !reader_.keep_alive() || exchange.is_http10();
  finish();
  // Mongrel2 1.x leaves closing to the handler; close_after_answer=0 does so too.
  if (exchange.generation().limits().close_after_answer) {
    if (close) exchange.set_keep_alive(false);
    if (!exchange.keep_alive()) exchange.end_as_agreed();
  } else {
    exchange.set_keep_alive(true);
  }
  exchange.complete();
}

// A slow client keeps the message itself, not a copy, together with all others that it is for.
void HandlerResponder::send(std::string_view bytes, HandlerMessage& message) {
  exchange_->send_message(bytes, stream_, [&message] { return message.hold(); });
}

}  // namespace m2
