#include "worker/target/handler_notices.h"

#include "proto/handler/request_writer.h"

namespace m2 {

void HandlerNotices::client_left(ConnectionId id, bool had_request) {
  unsaid_.erase(id);
  if (link_->withdraw(id) && !had_request) return;
  write_disconnect(row_.send_ident, id, row_.protocol, message_);
  link_->notify(id, message_);
}

void HandlerNotices::client_parted(ConnectionId id) {
  unsaid_.erase(id);
  link_->forget(id);
}

bool HandlerNotices::client_half_closed(ConnectionId id) {
  if (link_->holds(id)) return false;
  client_left(id, true);
  return true;
}

void HandlerNotices::client_took(ConnectionId id, uint64_t bytes) {
  if (unsaid_.empty() && link_->has_room()) return say_credits(id, bytes);
  unsaid_[id] += bytes;
  link_->wait_for_room(*this);
}

void HandlerNotices::all_left(std::vector<ConnectionId> ids) {
  left_.insert(left_.end(), ids.begin(), ids.end());
  room();
}

void HandlerNotices::room() {
  while (!left_.empty() && link_->has_room()) {
    const ConnectionId id = left_.back();
    left_.pop_back();
    client_left(id, true);
  }
  while (!unsaid_.empty() && link_->has_room()) {
    const auto [id, bytes] = *unsaid_.begin();
    unsaid_.erase(unsaid_.begin());
    say_credits(id, bytes);
  }
  if (!unsaid_.empty() || !left_.empty()) link_->wait_for_room(*this);
}

void HandlerNotices::say_credits(ConnectionId id, uint64_t bytes) {
  write_credits(row_.send_ident, id, bytes, row_.protocol, message_);
  link_->say_credits(id, message_);
}

}  // namespace m2
