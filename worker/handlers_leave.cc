#include "worker/handlers_leave.h"

#include <vector>

#include "common/log.h"
#include "common/treaty/plan.h"
#include "worker/http/connection.h"

namespace m2 {
namespace {

constexpr double kLookS = 0.02;
// Beyond the limit, for the last notices to leave.
constexpr double kGraceS = 0.2;

}  // namespace

void HandlersLeave::begin(uint64_t limit_ms) {
  limit_ = loop_.now() + static_cast<double>(limit_ms) / 1000;
  for (const auto& link : links_.all()) told_[link.get()] = false;
  timer_.start<&HandlersLeave::look>(loop_, 0, kLookS, this);
}

// A pair is left one look after its last notice was given to it, so that this has gone.
void HandlersLeave::look() {
  const double now = loop_.now();
  for (const std::shared_ptr<HandlerLink>& link : links_.all()) {
    const auto found = told_.find(link.get());
    if (found == told_.end()) continue;
    if (now >= limit_) end_what_is_owed(*link);
    if (owed(*link) && now < limit_ + kGraceS) continue;
    tell(*link);
    if (!std::exchange(found->second, true)) continue;
    if (link->waiting() != 0 && now < limit_ + kGraceS) continue;
    const bool ours = !link->behind_relay();
    link->leave();
    told_.erase(found);
    log_info("handler pair " + link->send_spec() + ": its handlers are let go");
    if (ours) left_(zmq_key(link->send_spec()) + "\n" + zmq_key(link->recv_spec()));
  }
  // A pair that a candidate of a reload had, and that is gone with it.
  if (now >= limit_ + 2 * kGraceS) told_.clear();
  if (told_.empty()) timer_.stop();
}

bool HandlersLeave::owed(const HandlerLink& link) {
  bool any = false;
  clients_.each([&](Connection& connection) { any |= connection.owed_by(&link); });
  return any;
}

void HandlersLeave::end_what_is_owed(const HandlerLink& link) {
  std::vector<Connection*> held;
  clients_.each([&](Connection& connection) {
    if (connection.owed_by(&link)) held.push_back(&connection);
  });
  if (held.empty()) return;
  log_info("handler pair " + link.send_spec() + ": upgrade.handlers_ms is over for " +
           std::to_string(held.size()) + " clients that wait for it");
  for (Connection* connection : held) connection->give_up(&link, "the server is replaced");
}

void HandlersLeave::tell(const HandlerLink& link) {
  clients_.each([&](Connection& connection) { connection.tell_handlers_of(&link); });
}

}  // namespace m2
