// Giving up privileges: one list, in one function, in this order. Every child goes through it right
// after its fork; the master never does.
#pragma once

#include <sys/types.h>

#include "common/status.h"

namespace m2 {

struct Jail {
  bool drop = false;  // false when the server was not started as root: ids are kept
  uid_t uid = 0;
  gid_t gid = 0;
};

// The master is already inside the chroot. chdir("/") when dropping, setgroups, setgid, setuid,
// verification that there is no way back, no_new_privs (always), no core dumps with foreign bytes.
Status enter_jail(const Jail& jail);

}  // namespace m2
