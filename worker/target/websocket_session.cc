#include "worker/target/websocket_session.h"

#include <algorithm>
#include <cmath>

#include "common/log.h"
#include "common/log_limit.h"
#include "worker/http/exchange.h"
#include "worker/target/websocket_shared.h"

namespace m2 {
namespace {

// When it is looked at again while the other side has to move first.
constexpr double kBusyLookS = 1.0;

}  // namespace

WebSocketSession::WebSocketSession(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                                   RepeatedHeaders headers)
    : exchange_(&exchange),
      target_(std::move(target)),
      id_(exchange.client().id()),
      headers_(std::move(headers)),
      last_heard_(exchange.client().now()),
      last_spoken_(last_heard_) {
  reader_.set_message_max(limits().message_bytes);
  exchange.set_status(101);
  exchange.set_responder(this);
  exchange.client().switch_protocols();
}

const WebSocketLimits& WebSocketSession::limits() const {
  return exchange_->generation().limits().websocket;
}

// From the client to the handler
// --------------------------------------------------------------------------------

void WebSocketSession::body(std::string_view bytes, bool last) {
  if (last) input_ended_ = true;
  if (waits_for_room()) {
    kept_.append(bytes);
    return;
  }
  last_heard_ = exchange_->client().now();
  consume(bytes);
}

WebSocketSession::Then WebSocketSession::consume(std::string_view bytes) {
  std::string& scratch = target_->websocket().scratch;
  while (true) {
    if (!closing() && !target_->link().has_room()) return pause(bytes);
    const MessageReader::Event event = reader_.next(bytes, scratch);
    if (event == MessageReader::Event::kNone) break;
    if (event == MessageReader::Event::kFailed) return fail(reader_.close_code(), reader_.reason());
    const bool closes = reader_.opcode() == static_cast<uint8_t>(Opcode::kClose);
    Then then = Then::kGoOn;
    if (!closing()) {
      then = take(event);
    } else if (closes) {
      return finish();
    }
    if (then == Then::kEnded) return then;
    reader_.release();
    if (then == Then::kWait) return pause(bytes);
  }
  if (!input_ended_) return Then::kGoOn;
  return finish();  // without a close frame
}

WebSocketSession::Then WebSocketSession::deliver(std::string_view value, std::string_view payload) {
  const RepeatedHeaders::Message message(headers_, value, payload);
  return target_->link().submit_following(id_, message.pieces()) ? Then::kGoOn : Then::kWait;
}

// The handlers are busy: the client waits, and what it sends stays in its socket.
WebSocketSession::Then WebSocketSession::pause(std::string_view rest) {
  kept_ = std::string(rest);
  exchange_->client().set_body_paused(true);
  target_->link().wait_for_room(*this);
  return Then::kWait;
}

void WebSocketSession::room() {
  last_heard_ = exchange_->client().now();
  const std::string bytes = std::move(kept_);
  kept_ = {};
  if (consume(bytes) == Then::kGoOn) exchange_->client().set_body_paused(false);
}

void WebSocketSession::refused(std::string_view why, int status) {
  static LogLimit limit("WebSockets that handlers do not take");
  limit.write("closing the WebSocket " + std::to_string(id_) + ": handler pair " +
              target_->row().send_spec + ": " + std::string(why));
  if (status == 503) {
    close(CloseCode::kTryLater, "no handler");
  } else {
    close(CloseCode::kRestart, "messages may be lost");
  }
}

// Ends
// -------------------------------------------------------------------------------------------------

WebSocketSession::Then WebSocketSession::close(CloseCode code, std::string_view reason) {
  if (closing()) return Then::kGoOn;
  if (!may_write_frame()) return finish();
  exchange_->send(close_frame(code, reason));
  closing_since_ = exchange_->client().now();
  if (waits_for_room()) {
    wait_no_more();
    const std::string bytes = std::move(kept_);
    kept_ = {};
    if (consume(bytes) == Then::kEnded) return Then::kEnded;
    exchange_->client().set_body_paused(false);
  }
  attend();
  return Then::kGoOn;
}

WebSocketSession::Then WebSocketSession::fail(CloseCode code, std::string_view reason) {
  static LogLimit limit("WebSockets that break the protocol");
  limit.write("closing the WebSocket " + std::to_string(id_) + " of " +
              std::string(exchange_->client().peer_address()) + " with " +
              std::to_string(static_cast<int>(code)) + ": " + std::string(reason));
  if (!closing() && may_write_frame()) exchange_->send(close_frame(code, reason));
  return finish();
}

WebSocketSession::Then WebSocketSession::finish() {
  Exchange& exchange = *exchange_;
  // The target lives until the handlers have been told of the end.
  const std::shared_ptr<HandlerTarget> target = std::move(target_);
  delete this;
  exchange.complete();
  return Then::kEnded;
}

void WebSocketSession::too_slow() {
  Exchange& exchange = *exchange_;
  const std::shared_ptr<HandlerTarget> target = std::move(target_);
  const std::string text = "handler pair " + target->row().send_spec + ", WebSocket " +
                           std::to_string(id_) + ": " + exchange.too_slow();
  delete this;
  exchange.set_responder(nullptr);
  exchange.client().abandon(text);
}

void WebSocketSession::stop() { delete this; }

void WebSocketSession::draining() { close(CloseCode::kGoingAway, "going away"); }

// Its client has been told before, and did not answer.
void WebSocketSession::let_go(std::string_view) { finish(); }

bool WebSocketSession::generation_changed(const Generation& generation) {
  const HandlerRow& mine = target_->row();
  const HandlerRow* now = generation.handler(mine.send_spec, mine.recv_spec);
  if (now != nullptr) {
    HandlerRow same = *now;
    same.timeout_ms = mine.timeout_ms;  // it has its answer
    same.grace_ms = mine.grace_ms;
    same.id = mine.id;  // rows are counted anew whenever a configuration is loaded
    row_stays_ = same == mine;
  } else {
    row_stays_ = false;
  }
  if (!row_stays_) {
    close(CloseCode::kRestart, "the configuration changed");
    return false;
  }
  reader_.set_message_max(generation.limits().websocket.message_bytes);
  attend();
  return true;
}

// Deadlines
// -------------------------------------------------------------------------------------------------

void WebSocketSession::woken() {
  const double now = exchange_->client().now();
  if (closing() && now >= closing_since_ + limits().close_ms / 1000.0) {
    finish();
    return;
  }
  const double silent = now - std::max(last_heard_, last_spoken_);
  const bool waits = waits_for_room() || exchange_->unsent() != 0;  // it is not its turn to speak
  const uint32_t idle_ms = limits().idle_ms;
  if (!closing() && !waits && idle_ms != 0 && silent >= idle_ms / 1000.0) {
    close(CloseCode::kGoingAway, "idle");
    return;
  }
  attend();
}

void WebSocketSession::attend() {
  const double now = exchange_->client().now();
  double wanted = kBusyLookS;
  if (closing()) {
    wanted = closing_since_ + limits().close_ms / 1000.0 - now;
  } else if (!waits_for_room() && exchange_->unsent() == 0) {
    wanted = watch_silence(now);
    if (wanted < 0) return;  // it ended
    if (limits().idle_ms != 0) {
      const double idle = std::max(last_heard_, last_spoken_) + limits().idle_ms / 1000.0 - now;
      wanted = wanted == 0 ? idle : std::min(wanted, idle);
    }
    if (wanted == 0) return exchange_->client().wake_after(0);
  }
  exchange_->client().wake_after(static_cast<uint64_t>(std::ceil(std::max(wanted, 0.0) * 1e3)) + 1);
}

}  // namespace m2
