// What handlers and a client have to do with each other: the id they know it by, their messages for
// it, what they hear of it.
#include <algorithm>
#include <utility>

#include "common/config/model.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/target/target.h"

namespace m2 {
namespace {

// Credits are told in steps of about this many bytes while more waits to leave.
constexpr uint64_t kCreditStep = 16 * 1024;
// A burst for one client, with what may wait anyway, in handler.output_bytes: a large page in a
// handful of messages.
constexpr uint64_t kBurstMarks = 10;

}  // namespace

ConnectionId Connection::id() {
  if (id_ == 0) id_ = clients_.give_id(*this);
  return id_;
}

void Connection::remember_handler(std::shared_ptr<ToldHandler> handler) {
  for (Told& told : told_) {
    const auto known = told.handler.lock();
    if (known != nullptr && known->pair() != handler->pair()) continue;
    told = {std::move(handler), known != nullptr};  // again; or in the place of one that is gone
    return;
  }
  told_.push_back({std::move(handler)});
}

bool Connection::is_told(const void* pair) const {
  return std::any_of(told_.begin(), told_.end(), [pair](const Told& told) {
    const auto handler = told.handler.lock();
    return handler != nullptr && handler->pair() == pair;
  });
}

void Connection::tell_handlers() {
  for (const Told& told : std::exchange(told_, {})) {
    if (const auto handler = told.handler.lock()) handler->client_left(id_, told.had_request);
  }
}

// As agreed: whoever was told of it had every answer that it was owed taken off it.
void Connection::part_from_handlers() {
  if (message_socket_) return;
  for (const Told& told : std::exchange(told_, {})) {
    if (const auto handler = told.handler.lock()) handler->client_parted(id_);
  }
}

void Connection::forget_handler(const void* pair) {
  std::erase_if(told_, [pair](const Told& told) {
    const auto handler = told.handler.lock();
    return handler == nullptr || handler->pair() == pair;
  });
}

bool Connection::handler_reply(std::string_view body, HandlerMessage& message,
                               const HandlerRow& handler) {
  if (exchange_ != nullptr && exchange_->responder_ != nullptr) {
    if (exchange_->responder_->handler_reply(body, message)) return true;
  } else if (message_socket_ && !body.empty()) {
    return answer_message(body, message, handler);
  }
  if (!body.empty()) return false;
  // The zero-length message that closes, behind an answer that was already complete.
  end_soon();
  return true;
}

// As soon as nothing is owed: a request that has begun is answered, half a message of a socket is
// owed nothing.
void Connection::end_soon() {
  close_after_ = true;
  if (state_ == State::kIdle) return close("");
  if (exchange_ != nullptr) exchange_->keep_alive_ = false;
  if (!message_socket_ || (state_ != State::kHead && state_ != State::kMessage)) return;
  unread_input_ = true;
  answer_complete();
}

void Connection::request_refused(const void* pair, std::string_view why, int status) {
  // It reached none of them: if it was their first, they do not know this client.
  std::erase_if(told_, [pair, status](const Told& told) {
    const auto handler = told.handler.lock();
    return status == 503 && !told.had_request && handler != nullptr && handler->pair() == pair;
  });
  if (exchange_ != nullptr && exchange_->responder_ != nullptr) {
    if (exchange_->responder_->asked(pair)) exchange_->responder_->refused(why, status);
  } else if (message_socket_) {
    // It cannot be told in any other way that its message is lost.
    clients_.faults().write("closing " + std::string(peer_address()) +
                            ": its message is lost: " + std::string(why));
    close("its message is lost");
  }
}

// A head that is still read, or a request that waits behind this one, may be for any pair.
bool Connection::owed_by(const void* pair) const {
  if (state_ == State::kClosed || state_ == State::kLingering) return false;
  if (message_socket_) return is_told(pair);
  if (exchange_ == nullptr) return false;
  if (state_ == State::kHead || has_later()) return true;
  if (exchange_->responder_ != nullptr) return exchange_->responder_->pair() == pair;
  return state_ == State::kBody && exchange_->route_ != nullptr &&
         exchange_->route_->target->pair() == pair;
}

void Connection::tell_handlers_of(const void* pair) {
  for (Told& told : told_) {
    const auto handler = told.handler.lock();
    if (handler != nullptr && handler->pair() == pair) handler->client_left(id_, told.had_request);
  }
  forget_handler(pair);
}

void Connection::give_up(const void* pair, std::string_view why) {
  if (message_socket_) return close(why);
  if (exchange_ == nullptr || exchange_->responder_ == nullptr) return;
  if (exchange_->responder_->pair() == pair) exchange_->responder_->let_go(why);
}

void Connection::touch() {
  if (state_ == State::kIdle) return clients_.deadlines().set(*this, clients_.limits().idle_ms);
  // Nobody will ask again, but the answer may take longer.
  if (state_ == State::kAnswering && half_closed_ && exchange_->output.empty()) {
    clients_.deadlines().set(*this, clients_.limits().write_ms);
  }
}

// bytes have left for the client.
void Connection::give_credits(uint64_t bytes) {
  uint64_t& due = exchange_->credits_due_;
  due += bytes;
  if (due == 0 || (due < kCreditStep && !exchange_->output.empty())) return;
  exchange_->credits_to_->client_took(id_, std::exchange(due, 0));
}

// Bounded by time (who reads needs less), for one client by memory, and so for all together.
bool Connection::takes_burst(uint64_t message_bytes) {
  Exchange& exchange = *exchange_;
  const Limits& limits = exchange.generation().limits();
  const double now = clients_.loop().now();
  if (exchange.burst_since_ == 0) exchange.burst_since_ = now;
  if (now - exchange.burst_since_ > limits.write_ms / 1000.0) return false;
  const uint64_t bytes = exchange.output.memory_bytes() + message_bytes;
  if (bytes > kBurstMarks * limits.handler_output_bytes) return false;
  return clients_.count_burst(exchange.burst_bytes_, bytes - limits.handler_output_bytes);
}

// Some of it has left.
void Connection::look_at_burst() {
  const uint64_t waiting = exchange_->output.memory_bytes();
  const uint64_t mark = exchange_->generation().limits().handler_output_bytes;
  clients_.count_burst(exchange_->burst_bytes_, waiting > mark ? waiting - mark : 0);
  if (waiting <= mark) exchange_->burst_since_ = 0;
}

// One line when it begins and one with the sum, however many there are.
void Connection::note_dropped(const HandlerRow& handler, OutputQueue::Dropped dropped) {
  OutputQueue::Dropped& sum = exchange_->dropped_;
  clients_.count_dropped(dropped.messages);
  if (sum.messages == 0) {
    exchange_->dropped_by_ = handler.send_spec;
    static LogLimit limit("connections that do not take what they are owed", LogLevel::kWarn);
    limit.write("handler pair " + handler.send_spec + ": connection " + std::to_string(id_) +
                " does not take what it is owed, messages for it are dropped from now on");
  }
  sum.messages += dropped.messages;
  sum.bytes += dropped.bytes;
}

void Connection::report_dropped() {
  const OutputQueue::Dropped sum = std::exchange(exchange_->dropped_, {});
  if (sum.messages == 0) return;
  static LogLimit limit("messages that slow connections did not get", LogLevel::kWarn);
  limit.write("handler pair " + exchange_->dropped_by_ + ": connection " + std::to_string(id_) +
              " did not get " + std::to_string(sum.messages) + " messages (" +
              std::to_string(sum.bytes) + " bytes), it was too slow (of all connections so far: " +
              std::to_string(clients_.count_dropped(0)) + ")");
}

}  // namespace m2
