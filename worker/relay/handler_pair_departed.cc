// Connections that ended with their worker: the handlers that knew of them are told.
#include <time.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "proto/handler/cut_id.h"
#include "proto/handler/request_writer.h"
#include "worker/relay/handler_pair.h"

namespace m2 {
namespace {

// For the notices of a dead worker to reach busy handlers.
constexpr double kDepartedS = 30.0;

}  // namespace

void HandlerPair::remove_worker(WorkerName worker) {
  const auto found = std::find_if(hops_.begin(), hops_.end(),
                                  [&](const Hop& hop) { return hop.hop->worker() == worker; });
  if (found == hops_.end()) return;
  from_workers_->disconnect(found->requests_endpoint);
  std::erase(by_slot_[worker.slot], found->hop.get());
  std::vector<ConnectionId> ids = found->hop->told().take();
  hops_.erase(found);
  // The worker's own notice may be in our queue still.
  std::erase_if(ids, [this](ConnectionId id) { return !told_ended_.insert(id, loop_.now()); });
  if (!ids.empty()) {
    log_info("handler pair " + send_spec() + ": handlers are told of " +
             std::to_string(ids.size()) + " connections that ended with worker " +
             std::to_string(worker.slot));
    departed_.push_back({std::move(ids), loop_.now() + kDepartedS});
    if (!departed_timer_.active()) {
      departed_timer_.start<&HandlerPair::departed_late>(loop_, kDepartedS, 0.0, this);
    }
  }
  flush();
}

bool HandlerPair::tell_departed(ConnectionId id) {
  write_disconnect(options_.send_ident, id, options_.protocol, notice_);
  ZmqMessage message(notice_.data(), notice_.size());
  return queue_->submit(id, message, QueuedKind::kNotice);
}

// Behind the requests that wait, and never more than half of the queue.
void HandlerPair::feed_departed() {
  while (!departed_.empty() && gate_->open() && queue_->size() <= options_.queue_max / 2) {
    std::vector<ConnectionId>& ids = departed_.front().ids;
    if (!tell_departed(ids.back())) return;
    ids.pop_back();
    if (ids.empty()) departed_.pop_front();
  }
}

void HandlerPair::departed_late() {
  while (!departed_.empty() && departed_.front().until <= loop_.now()) {
    for (const ConnectionId id : departed_.front().ids) {
      notice_dropped(id, "no handler took it in time");
    }
    departed_.pop_front();
  }
  if (departed_.empty()) return;
  departed_timer_.start<&HandlerPair::departed_late>(loop_, departed_.front().until - loop_.now(),
                                                     0.0, this);
}

// A connection of a worker that is no more: the handlers are told, unless they were already. So a
// reply that crossed the notice brings no second one, and a handler that answers notices does not
// go round in circles with us.
void HandlerPair::unknown_connection(ConnectionId id) {
  if (!told_ended_.insert(id, loop_.now())) return;
  if (!tell_departed(id)) notice_dropped(id, "the queue is full");
}

// A look at all ids, so once a second at most.
void HandlerPair::look_for_cut(std::string_view text) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (now.tv_sec == looked_for_cut_s_) return;
  looked_for_cut_s_ = now.tv_sec;
  bool cut = false;
  for (const Hop& hop : hops_) {
    hop.hop->told().each([&](ConnectionId id) { cut = cut || is_cut(text, id); });
  }
  if (!cut) return;
  log_warn("handler pair " + send_spec() + ": a reply to connection " + std::string(text) +
           ", which is another one's id cut short: " + std::string(kCutIdAdvice));
}

}  // namespace m2
