#include "master/planned_generation.h"

#include <sched.h>

#include <algorithm>

#include "proto/handler/connection_id.h"

namespace m2 {

unsigned worker_count(const Plan& plan, unsigned asked_for) {
  unsigned workers = asked_for != 0 ? asked_for : plan.workers;
  if (workers == 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    const bool known = ::sched_getaffinity(0, sizeof cores, &cores) == 0;
    workers = known ? static_cast<unsigned>(CPU_COUNT(&cores)) : 1;
  }
  return std::clamp(workers, 1u, kSlotsMax);
}

Status check_changeable(const Plan& now, const Plan& next) {
  std::string changed;
  const auto compare = [&changed](bool same, const char* what) {
    if (same) return;
    if (!changed.empty()) changed += ", ";
    changed += what;
  };
  compare(now.uuid == next.uuid, "server.uuid");
  compare(now.chroot == next.chroot, "server.chroot");
  compare(now.pid_file == next.pid_file, "server.pid_file");
  compare(now.daemonize == next.daemonize, "setting server.daemonize");
  compare(now.allow_root == next.allow_root, "setting allow_root");
  compare(now.landlock == next.landlock, "setting jail.landlock");
  compare(now.seccomp == next.seccomp, "setting jail.seccomp");
  if (changed.empty()) return {};
  return Status::error("changed, which takes a restart: " + changed);
}

std::string count_of(unsigned count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace m2
