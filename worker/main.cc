// The story of a worker, from the master's fork to its end.
#include <csignal>
#include <string>

#include "common/descriptor_table.h"
#include "common/log.h"
#include "common/treaty/child.h"
#include "common/treaty/jailed.h"
#include "worker/worker.h"

namespace m2 {

int worker_main(ChildStart start) {
  grow_descriptor_table(start.channel);
  log_open("worker " + std::to_string(start.slot), start.error_log.get(), start.log_level);

  // From here on: no privileges.
  const Result<JailReport> jailed =
      enter_jail(start.jail, JailRole::kWorker, {start.run_directory, start.jail.upload_folder});
  if (!jailed.ok()) {
    log_error("cannot give up privileges: " + jailed.message());
    return 1;
  }
  if (!send_jailed(start.channel.get(), jailed.value()).ok()) return 1;  // the master is gone

  // From here on: threads, and strangers. The first generation arrives over the channel, with its
  // sockets.
  log_in_background();
  {
    Worker worker(std::move(start));
    worker.run();
  }
  log_close();
  return 0;
}

}  // namespace m2
