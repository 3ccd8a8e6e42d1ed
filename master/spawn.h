// Forks: children of the master, and the step into the background. A child
// forgets what belongs to the master before anything else runs in it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "common/descriptor_kinds.h"
#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

struct SpawnPlan {
  std::string name;       // of the process, as ps shows it; at most 15 characters
  std::vector<int> keep;  // descriptors that stay open beside 0, 1 and 2
  int output = -1;        // becomes stdout and stderr of the child; -1: they stay
};

// What the child of such a plan has open when its body begins.
DescriptorCounts given_to(const SpawnPlan& plan);

// In the child: default signal handlers, but INT, TERM, HUP, USR1, USR2 and PIPE ignored (a Ctrl-C
// or a stop of the whole group reaches the master, which decides); all descriptors but keep closed;
// then _exit(body()).
Result<pid_t> spawn(const SpawnPlan& plan, const std::function<int()>& body);

// The way into the background as the starter sees it: it waits until the server really serves.
class Launcher {
 public:
  Launcher() = default;  // in the foreground: nobody waits

  // Returns in the new process, which leads its own session. The old one waits for ready(): exit 0;
  // or for the end of the new one or limit_ms: exit 1, after saying so on stderr.
  static Result<Launcher> detach(unsigned limit_ms);

  bool waiting() const { return pipe_.valid(); }
  void ready();

 private:
  OwnedFd pipe_;
};

}  // namespace m2
