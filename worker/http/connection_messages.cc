// JSSockets and XML sockets (manual 5.1.4): messages ended by a NUL on the connection where HTTP is
// spoken too. A message is answered at any time or never, by any number of answers, so an exchange
// exists only while a message comes in or an answer has not left.
#include "common/config/model.h"
#include "common/log.h"
#include "proto/message_socket/socket_message.h"
#include "worker/generation.h"
#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/link/handler_link.h"
#include "worker/target/target.h"

namespace m2 {

// Returns what lies behind the message.
std::string_view Connection::take_message(std::string_view bytes) {
  Exchange& exchange = *exchange_;
  const size_t end = bytes.find('\0');
  const std::string_view piece = bytes.substr(0, end);
  const size_t limit = clients_.limits().parser.head_bytes;
  if (exchange.input.size() + piece.size() >= limit) {
    refuse(400, "message socket: a message is above limits.buffer_size=" + std::to_string(limit));
    return {};
  }
  if (end == std::string_view::npos) {
    if (exchange.input.empty()) clients_.deadlines().set(*this, clients_.limits().head_ms);
    exchange.input.append(piece);
    return {};
  }
  if (exchange.input.empty()) {
    dispatch_message(piece);
  } else {
    exchange.input.append(piece);
    dispatch_message(exchange.input);
  }
  return bytes.substr(end + 1);
}

void Connection::dispatch_message(std::string_view text) {
  Exchange& exchange = *exchange_;
  const Host& host = exchange.generation_->host({});
  exchange.host_name_ = host.name;
  message_socket_ = true;
  const auto parsed = parse_socket_message(text);
  if (!parsed.ok()) return refuse(400, parsed.message());
  const SocketMessage& message = parsed.value();
  if (message.kind == SocketMessageKind::kPing) {
    traffic_.pinged = static_cast<uint32_t>(clients_.loop().now());
    return message_ended();
  }
  if (message.kind == SocketMessageKind::kPolicy) {
    exchange.send(socket_policy());
    close_after_ = true;
    return message_ended();
  }
  exchange.route_ = Generation::route(host, message.path);
  if (exchange.route_ == nullptr) {
    return refuse(404, "message socket: no route for " + std::string(message.path));
  }
  switch (exchange.route_->target->socket_message(exchange, message)) {
    case MessageTaken::kNotHere:
      return refuse(404, "message socket: route " + exchange.route_->pattern +
                             " leads to no handler; only handlers take messages");
    case MessageTaken::kFull:
      clients_.notes().write("closing " + std::string(peer_address()) +
                             ": the queue of the handler of route " + exchange.route_->pattern +
                             " is full, its message is lost");
      return close("the handler's queue is full");
    case MessageTaken::kRaw:
      raw_answers_ = true;
      break;
    case MessageTaken::kEncoded:
      raw_answers_ = false;
      break;
  }
  message_ended();
}

// The message was taken. Answers that wait for the client keep the exchange until they have left.
void Connection::message_ended() {
  if (state_ == State::kClosed) return;
  if (exchange_->output.empty()) return exchange_ended();
  state_ = State::kFlushing;
}

bool Connection::answer_message(std::string_view body, HandlerMessage& message,
                                const HandlerRow& handler) {
  if (state_ == State::kLingering || state_ == State::kClosed) return false;
  if (exchange_ == nullptr) begin_exchange(State::kAnswering);
  const std::string encoded = raw_answers_ ? std::string() : encode_socket_answer(body);
  const std::string_view answer = raw_answers_ ? body : encoded;
  const bool held = raw_answers_;
  switch (exchange_->room_for(handler, answer.size(), true)) {
    case Exchange::Room::kThere:
      exchange_->send_message(answer, true, [&message, held] {
        return held ? message.hold() : std::shared_ptr<const void>();
      });
      break;
    case Exchange::Room::kDrop:
      break;
    case Exchange::Room::kNone:
      abandon(exchange_->too_slow());
      return true;
  }
  if (state_ == State::kAnswering) message_ended();
  return true;
}

}  // namespace m2
