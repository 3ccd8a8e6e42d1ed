// Giving up privileges: one list, in one function, in this order. Every child goes through it right
// after its fork; the master never does. What each role has left is a table in jail_roles.cc, the
// words for it are in docs/security.md.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/jail_report.h"
#include "common/status.h"

namespace m2 {

// What the server as a whole asks for.
struct Jail {
  bool drop = false;  // false: ids are kept (not started as root, or told to stay root)
  uid_t uid = 0;
  gid_t gid = 0;
  bool landlock = true;  // where the kernel has it
  bool seccomp = true;
  // Beside the current folder the only one in which workers make files; "": none.
  std::string upload_folder = {};
};

// The master is already inside the chroot. In this order: chdir("/") and no groups, bounding set,
// gid, uid (when dropping); capabilities; no core dumps and no tracing (unless started by an
// ordinary user); no_new_privs; a look at what is left, and an attempt at the way back; Landlock;
// the filter of system calls. writable: folders in which the role makes files beside those of its
// table. Returns what this process really has, as read back from the kernel. After an error it must
// not go on.
Result<JailReport> enter_jail(const Jail& jail, JailRole role,
                              const std::vector<std::string>& writable = {});

}  // namespace m2
