#include "common/treaty/heartbeat.h"

#include <utility>

namespace m2 {

Heartbeat::Heartbeat(Loop& loop, Channel& channel, std::function<uint64_t()> connections)
    : loop_(loop), channel_(channel), connections_(std::move(connections)) {}

void Heartbeat::set(uint64_t heartbeat_ms) {
  const double every_s = static_cast<double>(heartbeat_ms) / 1000.0 / kBeatsPerLimit;
  timer_.start<&Heartbeat::beat>(loop_, every_s, every_s, this);
}

void Heartbeat::beat() {
  Message message;
  message.type = MessageType::kAlive;
  message.number = connections_();
  channel_.send(std::move(message));
}

}  // namespace m2
