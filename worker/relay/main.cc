// The story of the relay, from the master's fork to its end.
#include "common/descriptor_table.h"
#include "common/log.h"
#include "common/treaty/child.h"
#include "common/treaty/jailed.h"
#include "worker/relay/relay.h"

namespace m2 {

int relay_main(ChildStart start) {
  grow_descriptor_table(start.channel);
  log_open("relay", start.error_log.get(), start.log_level);

  // From here on: no privileges.
  const Result<JailReport> jailed = enter_jail(start.jail, JailRole::kRelay);
  if (!jailed.ok()) {
    log_error("cannot give up privileges: " + jailed.message());
    return 1;
  }
  if (!send_jailed(start.channel.get(), jailed.value()).ok()) return 1;  // the master is gone

  // From here on: threads, and strangers. The first generation arrives over the channel, with its
  // sockets.
  log_in_background();
  {
    Relay relay(std::move(start));
    relay.run();
  }
  log_close();
  return 0;
}

}  // namespace m2
