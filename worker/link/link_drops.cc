#include "worker/link/link_drops.h"

#include "common/log.h"

namespace m2 {

void LinkDrops::refused(DropCounter& counter, ConnectionId id, std::string_view why) {
  if (counter.add()) say(counter, id, why);
}

void LinkDrops::say(const DropCounter& counter, ConnectionId id, std::string_view why) const {
  log_warn("handler pair " + send_spec_ + ": " + std::string(why) + ", request of connection " +
           std::to_string(id) + " refused (so far: " + std::to_string(counter.total()) + ")");
}

void LinkDrops::notice(ConnectionId id, std::string_view why) {
  if (!notices_.add()) return;
  log_warn("handler pair " + send_spec_ + ": " + std::string(why) +
           ", the disconnect notice of connection " + std::to_string(id) +
           " was dropped (so far: " + std::to_string(notices_.total()) + ")");
}

void LinkDrops::multipart() {
  if (!multipart_.add()) return;
  log_warn("handler pair " + recv_spec_ +
           ": a message of several parts was dropped, a reply is one part (dropped so far: " +
           std::to_string(multipart_.total()) + ")");
}

HandlerLinkDrops LinkDrops::totals() const {
  return {full_.total(), late_.total(),    relay_.total(),    timeout_.total(),
          gone_.total(), notices_.total(), multipart_.total()};
}

}  // namespace m2
