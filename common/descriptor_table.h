// The kernel's table of this process's descriptors.
#pragma once

#include "common/owned_fd.h"

namespace m2 {

// Makes the table as large as the limit on open files (RLIMIT_NOFILE) lets it become, at most
// 65,536 entries (512 KB in the kernel). To be called before the first thread starts: the table of
// a process with threads grows only after a grace period of RCU, in which the thread that asked
// for the descriptor stands still for milliseconds, with all its connections. A table never
// shrinks. any: an open descriptor, which stays as it is. Without memory the table grows later.
void grow_descriptor_table(const OwnedFd& any);

}  // namespace m2
