#include "worker/target/websocket_messages.h"

#include <algorithm>

#include "common/log.h"
#include "common/utf8.h"
#include "proto/websocket/handshake.h"
#include "proto/websocket/order.h"
#include "worker/http/exchange.h"
#include "worker/target/websocket_shared.h"

namespace m2 {

void WebSocketMessages::begin(Exchange& exchange, const std::shared_ptr<HandlerTarget>& target) {
  const HandshakeFault fault = check_handshake(exchange.head(), exchange.base());
  if (fault.status != 0) {
    exchange.set_keep_alive(false);
    const std::string_view field = fault.status == 426   ? "Sec-WebSocket-Version: 13\r\n"
                                   : fault.status == 405 ? "Allow: GET\r\n"
                                                         : "";
    return exchange.answer_status(fault.status, fault.why, field);
  }
  const ExtraField event{"EVENT", "open"};
  const HandlerTarget::More more{.method = "WEBSOCKET", .fields = {&event, 1}, .body = {}};
  if (!target->tell(exchange, more)) return;
  RepeatedHeaders headers(target->words(exchange, more), target->row().protocol);
  DeflateAgreement deflate;
  const uint8_t bits = exchange.generation().limits().websocket.deflate_bits;
  if (bits != 0) {
    deflate = agree_on_deflate(exchange.field("sec-websocket-extensions"), bits);
  }
  exchange.send(handshake_answer(accept_value(exchange.field("sec-websocket-key")),
                                 first_token(exchange.field("sec-websocket-protocol")),
                                 deflate.answer));
  exchange.forget_request();
  (new WebSocketMessages(exchange, target, std::move(headers), deflate.window_bits))->attend();
}

WebSocketMessages::WebSocketMessages(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                                     RepeatedHeaders headers, uint8_t deflate_bits)
    : WebSocketSession(exchange, std::move(target), std::move(headers)),
      deflate_bits_(deflate_bits) {
  reader().set_deflate(deflate_bits != 0);
}

WebSocketSession::Then WebSocketMessages::take(MessageReader::Event event) {
  if (event == MessageReader::Event::kMessage) return take_message();
  switch (static_cast<Opcode>(reader().opcode())) {
    case Opcode::kClose:
      return take_close();
    case Opcode::kPing:
      pong(reader().payload());
      return Then::kGoOn;
    default:
      return Then::kGoOn;
  }
}

WebSocketSession::Then WebSocketMessages::take_message() {
  const bool text = reader().opcode() == static_cast<uint8_t>(Opcode::kText);
  std::string_view payload = reader().payload();
  if (reader().compressed()) {
    WebSocketShared& shared = target().websocket();
    switch (shared.deflate.inflate(payload, limits().message_bytes, shared.inflated)) {
      case DeflateStreams::Inflated::kBroken:
        return fail(CloseCode::kBadData, "a message that cannot be inflated");
      case DeflateStreams::Inflated::kTooBig:
        return fail(CloseCode::kTooBig, "a message above websocket.message_bytes");
      case DeflateStreams::Inflated::kOk:
        break;
    }
    payload = shared.inflated;
    if (text && !is_utf8(payload)) return fail(CloseCode::kBadData, "a text that is not UTF-8");
  }
  return deliver(text ? "text" : "binary", payload);
}

// The handler hears the code, the client gets it back; the notice of the end follows.
WebSocketSession::Then WebSocketMessages::take_close() {
  const CloseCode code = reader().received_code();
  std::string said = std::to_string(static_cast<int>(code));
  const std::string_view reason = reader().received_reason();
  if (!reason.empty()) said.append(" ").append(reason);
  deliver("close", said);
  exchange().send(close_frame(code, {}));
  return finish();
}

// One at a time waits for a slow client: of several pings the latest is answered (RFC 6455, 5.5.3).
void WebSocketMessages::pong(std::string_view payload) {
  if (pong_queued_) {
    pong_due_ = std::make_unique<std::string>(payload);
    return;
  }
  exchange().send_urgent(control_frame(Opcode::kPong, payload));
  pong_queued_ = exchange().unsent() != 0;
}

void WebSocketMessages::pull() {
  pong_queued_ = false;
  if (const auto due = std::move(pong_due_)) pong(*due);
}

double WebSocketMessages::watch_silence(double now) {
  if (limits().ping_ms == 0) return 0;
  if (pinged_at_ > last_heard()) {
    const double late = pinged_at_ + limits().pong_ms / 1000.0;
    if (now < late) return late - now;
    fail(CloseCode::kGoingAway, "no pong within websocket.pong_ms");
    return -1;
  }
  const double ping = last_heard() + limits().ping_ms / 1000.0;
  if (now < ping) return ping - now;
  exchange().send_urgent(control_frame(Opcode::kPing, {}));
  pinged_at_ = now;
  return std::min(limits().ping_ms, limits().pong_ms) / 1000.0;  // a pong may come before either
}

bool WebSocketMessages::handler_reply(std::string_view body, HandlerMessage& message) {
  if (closing()) return false;
  if (body.empty()) {
    close(CloseCode::kNormal, {});
    return true;
  }
  return send(Opcode::kText, body, message);
}

bool WebSocketMessages::websocket_order(const WebSocketOrder& order, HandlerMessage& message) {
  if (closing()) return false;
  switch (order.kind) {
    case WebSocketOrder::Kind::kText:
      return send(Opcode::kText, order.payload, message);
    case WebSocketOrder::Kind::kBinary:
      return send(Opcode::kBinary, order.payload, message);
    case WebSocketOrder::Kind::kClose:
      close(order.code, order.payload);
      return true;
  }
  return false;
}

bool WebSocketMessages::send(Opcode opcode, std::string_view payload, HandlerMessage& message) {
  if (opcode == Opcode::kText && !is_utf8(payload)) {
    if (target().websocket().bad_texts.add()) {
      log_warn("handler pair " + target().row().send_spec + ": a text for WebSocket " +
               std::to_string(id()) + " is not UTF-8; dropped. Send it as binary (so far: " +
               std::to_string(target().websocket().bad_texts.total()) + ")");
    }
    return true;
  }
  switch (exchange().room_for(target().row(), payload.size(), true)) {
    case Exchange::Room::kThere:
      break;
    case Exchange::Room::kDrop:
      return true;
    case Exchange::Room::kNone:
      too_slow();
      return true;
  }
  const auto frame = target().websocket().frame(opcode, payload, deflate_bits_, message);
  exchange().add_body_bytes(frame->size());
  exchange().send_message(*frame, true, [&frame] { return frame; });
  spoke();
  return true;
}

}  // namespace m2
