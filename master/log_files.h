// The log files: opened by the master, written by every process through duplicates (O_APPEND keeps
// lines whole). Opened with the rights of the jail's user, who owns what is created.
#pragma once

#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/plan.h"
#include "master/privileges.h"

namespace m2 {

struct Logs {
  OwnedFd error;
  OwnedFd access;  // invalid: the configuration wants none
};

// In the foreground the error log is stderr, wherever it leads; in the background it is the file of
// the plan. Refused: what is not a plain file (a link, a folder, a pipe that would block).
Result<Logs> open_logs(const Plan& plan, const Place& place, bool foreground);

}  // namespace m2
