#include "worker/target/handler_notices.h"

#include "proto/handler/request_writer.h"

namespace m2 {
namespace {

// How long credits wait when the queue had no room.
constexpr double kAgainS = 0.1;

}  // namespace

void HandlerNotices::client_left(ConnectionId id) {
  unsaid_.erase(id);
  if (link_->withdraw(id)) return;
  write_disconnect(row_.send_ident, id, row_.protocol, message_);
  link_->notify(id, message_);
}

bool HandlerNotices::client_half_closed(ConnectionId id) {
  if (link_->holds(id)) return false;
  client_left(id);
  return true;
}

void HandlerNotices::client_took(ConnectionId id, uint64_t bytes) {
  if (unsaid_.empty() && say_credits(id, bytes)) return;
  unsaid_[id] += bytes;
  if (!again_.active()) {
    again_.start<&HandlerNotices::say_unsaid>(loop_, kAgainS, kAgainS, this);
  }
}

bool HandlerNotices::say_credits(ConnectionId id, uint64_t bytes) {
  write_credits(row_.send_ident, id, bytes, row_.protocol, message_);
  return link_->inform(id, message_);
}

void HandlerNotices::say_unsaid() {
  while (!unsaid_.empty()) {
    const auto first = unsaid_.begin();
    if (!say_credits(first->first, first->second)) return;
    unsaid_.erase(first);
  }
  again_.stop();
}

}  // namespace m2
