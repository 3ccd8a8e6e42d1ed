#include "worker/target/websocket_frames.h"

#include "common/log.h"
#include "proto/websocket/handshake.h"
#include "worker/http/exchange.h"

namespace m2 {
namespace {

// FLAGS: the first byte of a whole message's frame, as Mongrel2 1.x writes it.
std::string_view flags_of(uint8_t opcode) {
  constexpr std::string_view kFlags[] = {"0x80", "0x81", "0x82", "0x83", "0x84", "0x85",
                                         "0x86", "0x87", "0x88", "0x89", "0x8A"};
  return kFlags[opcode];
}

// A whole ping or pong: it need not wait behind a slow client's messages.
bool is_lone_ping_or_pong(std::string_view bytes) {
  FrameHead head;
  const size_t size = read_frame_head(bytes, head);
  return size != 0 && bytes.size() == size + head.length &&
         (head.opcode == static_cast<uint8_t>(Opcode::kPing) ||
          head.opcode == static_cast<uint8_t>(Opcode::kPong));
}

}  // namespace

void WebSocketOpening::begin(Exchange& exchange, const std::shared_ptr<HandlerTarget>& target) {
  const ExtraField flags{"FLAGS", "0x81"};
  RepeatedHeaders headers(
      target->words(exchange, {.method = "WEBSOCKET", .fields = {&flags, 1}, .body = {}}),
      target->row().protocol);
  const std::string accept = accept_value(exchange.field("sec-websocket-key"));
  if (!target->tell(exchange, {.method = "WEBSOCKET_HANDSHAKE", .fields = {}, .body = accept})) {
    return;
  }
  exchange.forget_request();
  (new WebSocketOpening(std::move(headers)))->wait_for_answer(exchange, target);
}

bool WebSocketOpening::handler_reply(std::string_view body, HandlerMessage& message) {
  body_ = body;
  return HandlerResponder::handler_reply(body, message);
}

void WebSocketOpening::switched() {
  const std::string_view head = reader_.head();
  FrameFollower sent;
  if (head.data() >= body_.data() && head.data() <= body_.data() + body_.size()) {
    sent.feed(body_.substr(static_cast<size_t>(head.data() - body_.data()) + head.size()));
  } else {
    sent.lose();  // the head came in pieces: where it ended in this one is not known any more
  }
  Exchange& exchange = *exchange_;
  std::shared_ptr<HandlerTarget> target = target_;
  RepeatedHeaders headers = std::move(headers_);
  finish();
  (new WebSocketFrames(exchange, std::move(target), std::move(headers), sent))->attend();
}

void WebSocketOpening::recycle() { delete this; }

WebSocketFrames::WebSocketFrames(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                                 RepeatedHeaders headers, const FrameFollower& sent)
    : WebSocketSession(exchange, std::move(target), std::move(headers)), sent_(sent) {}

WebSocketSession::Then WebSocketFrames::take(MessageReader::Event) {
  if (client_closed_at_ != 0) return Then::kGoOn;  // nothing counts behind a close frame
  const uint8_t opcode = reader().opcode();
  const Then then = deliver(flags_of(opcode), reader().payload());
  if (opcode == static_cast<uint8_t>(Opcode::kClose)) {
    client_closed_at_ = exchange().client().now();
    attend();
  }
  return then;
}

// The handler answers the close frame and ends the connection; for one that does not, we do.
double WebSocketFrames::watch_silence(double now) {
  if (client_closed_at_ == 0) return 0;
  const double late = client_closed_at_ + limits().close_ms / 1000.0;
  if (now < late) return late - now;
  fail(CloseCode::kNormal, "its handler has not closed it within websocket.close_ms");
  return -1;
}

bool WebSocketFrames::handler_reply(std::string_view body, HandlerMessage& message) {
  if (body.empty()) {  // manual 5.5: what was sent leaves, then the end
    finish();
    return true;
  }
  if (closing()) return false;
  const bool frame = sent_.at_frame_end();
  const bool begins = sent_.at_message_end();
  sent_.feed(body);
  const bool whole = begins && sent_.at_message_end() && !sent_.closed();
  exchange().add_body_bytes(body.size());
  spoke();
  if (frame && exchange().unsent() != 0 && is_lone_ping_or_pong(body)) {
    exchange().send_urgent(body);
    return true;
  }
  switch (exchange().room_for(target().row(), body.size(), whole)) {
    case Exchange::Room::kThere:
      exchange().send_message(body, whole, [&message] { return message.hold(); });
      break;
    case Exchange::Room::kDrop:
      break;
    case Exchange::Room::kNone:
      too_slow();
      break;
  }
  return true;
}

}  // namespace m2
