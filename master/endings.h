// How child processes ended: the only place of the master that waits for any. A process that is
// nobody's (the master is the first one of a container, or was executed by a shell that had
// children) is let go as well, so that none stays as a zombie.
#pragma once

#include <sys/types.h>

#include <optional>

namespace m2 {

// Somebody will ask for the end of this child. Called by spawn().
void expect_end(pid_t pid);
// Its status as from waitpid, once; none: it has not ended, or nobody expects it.
std::optional<int> take_end(pid_t pid);
// SIGKILL, if its end is expected and was not seen: its number may be another process's then.
void kill_child(pid_t pid);
// Nobody asks any more.
void forget_end(pid_t pid);
// After SIGCHLD: looks who has ended.
void collect_ends();

}  // namespace m2
