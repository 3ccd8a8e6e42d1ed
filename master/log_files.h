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

// In the foreground the error log is stderr, wherever it leads, or the plan's when stderr leads
// nowhere; in the background it is the plan's. "/dev/stdout" and "/dev/stderr", and links to them,
// mean descriptors 1 and 2 of the start: nothing is opened for them, also at a rotation. Refused:
// these in the background, and what is not a plain file (a link, a folder, a pipe).
Result<Logs> open_logs(const Plan& plan, const Place& place, bool foreground);

}  // namespace m2
