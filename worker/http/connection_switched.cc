// A connection that left HTTP behind a 101 answer: its bytes go to the responder that has it and
// come from there; only the end, back-pressure and deadlines are still the connection's business.
#include <algorithm>

#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/target/target.h"

namespace m2 {

void Connection::switch_protocols() {
  state_ = State::kSwitched;
  close_after_ = true;
  exchange_->keep_alive_ = false;
  exchange_->write_until = 0;
  clients_.deadlines().clear(*this);
  exchange_->write_watched = false;  // watched anew, beside the responder's own time
  if (!exchange_->output.empty()) output_waits();
  clients_.switched(*this);
}

// At the end of the turn, when no responder is in the middle of something.
void Connection::deliver_early_input() {
  if (state_ != State::kSwitched) return;
  const std::string later = std::move(exchange_->later);
  exchange_->later.clear();
  watch_as_needed();
  if (!later.empty()) exchange_->responder_->body(later, false);
  if (half_closed_ && state_ == State::kSwitched) exchange_->responder_->body({}, true);
}

void Connection::wake_after(uint64_t ms) {
  exchange_->wakes_at = ms == 0 ? 0 : clients_.loop().now() + static_cast<double>(ms) / 1000.0;
  set_switched_deadline();
}

void Connection::set_switched_deadline() {
  const double wake = exchange_->wakes_at;
  const double write = exchange_->write_until;
  if (wake == 0 && write == 0) return clients_.deadlines().clear(*this);
  const double first = wake == 0 || write == 0 ? wake + write : std::min(wake, write);
  const double left = std::max(first - clients_.loop().now(), 0.0);
  clients_.deadlines().set(*this, static_cast<uint64_t>(left * 1000.0));
}

void Connection::switched_deadline_passed() {
  const double now = clients_.loop().now();
  if (exchange_->write_until != 0 && exchange_->write_until <= now) {
    const uint64_t earned = earned_write_ms();
    if (earned == 0) return;
    exchange_->write_until = now + static_cast<double>(earned) / 1000.0;
  }
  if (exchange_->wakes_at == 0 || exchange_->wakes_at > now) return set_switched_deadline();
  exchange_->wakes_at = 0;
  set_switched_deadline();
  exchange_->responder_->woken();
}

double Connection::now() const { return clients_.loop().now(); }

bool Connection::generation_changed(const Generation& generation) {
  if (exchange_ == nullptr) return true;
  if (is_reading()) exchange_->generation_ = clients_.generation();
  if (exchange_->responder_ == nullptr) return true;
  const bool stays = exchange_->responder_->generation_changed(generation);
  // It may last for days: it must not keep every configuration that it has seen.
  if (state_ != State::kSwitched || !exchange_->responder_->outlives_generation()) return stays;
  exchange_->host_copy_ = exchange_->host_name_;
  exchange_->host_name_ = exchange_->host_copy_;
  exchange_->route_ = nullptr;
  exchange_->generation_ = clients_.generation();
  return stays;
}

std::optional<HeldAs> Connection::held_as() const {
  switch (state_) {
    case State::kSwitched:
      return exchange_->responder_->held_as();
    case State::kBody:
    case State::kAnswering:
    case State::kFlushing:
      return message_socket_ ? HeldAs::kMessageSocket : HeldAs::kRequest;
    case State::kProxyHeader:
    case State::kIdle:
    case State::kHead:
    case State::kMessage:
      if (message_socket_) return HeldAs::kMessageSocket;
      return {};
    case State::kLingering:
    case State::kClosed:
      break;
  }
  return {};
}

}  // namespace m2
