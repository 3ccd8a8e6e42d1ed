// Giving up privileges: one list, in one function, in this order. Every child goes through it right
// after its fork; the master never does. docs/security.md says what each role has left.
#pragma once

#include <sys/types.h>

#include "common/status.h"

namespace m2 {

struct Jail {
  bool drop = false;  // false when the server was not started as root: ids are kept
  uid_t uid = 0;
  gid_t gid = 0;
};

// The master is already inside the chroot. When dropping: chdir("/"), no groups, gid, uid, no core
// dumps and no tracing by others of that user, then a look at what is left: every id, the groups,
// the capabilities, and that there is no way back. Always: no_new_privs. After an error the process
// must not go on.
Status enter_jail(const Jail& jail);

}  // namespace m2
