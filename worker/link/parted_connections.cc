#include "worker/link/parted_connections.h"

#include "worker/link/link_place.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

constexpr size_t kPerWord = 256;
constexpr size_t kWaitingMax = 64 * 1024;
constexpr double kWaitS = 0.05;

}  // namespace

void PartedConnections::add(ConnectionId id) {
  if (!place_->behind_relay() || ids_.size() >= kWaitingMax) return;
  ids_.push_back(id);
  if (!timer_.active()) timer_.start<&PartedConnections::say>(loop_, kWaitS, kWaitS, this);
  if (ids_.size() == kPerWord) say();
}

void PartedConnections::say() {
  ZmqMessage word(write_worker_parted(ids_));
  if (place_->behind_relay() && !place_->requests().say(word)) return;
  stop();
}

void PartedConnections::stop() {
  timer_.stop();
  ids_.clear();
}

}  // namespace m2
