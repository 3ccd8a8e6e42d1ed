// What each role is left with: one table, read by jail.cc. Adding a system call or a right to a
// role happens here and nowhere else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/jail_report.h"
#include "common/landlock.h"
#include "common/seccomp_filter.h"

namespace m2 {

struct JailRules {
  const char* name;
  // Capabilities that it keeps when it stays root: to files of others, as an ordinary root has.
  uint64_t root_keeps = 0;
  // Landlock: rights below the current folder and below "/", which is the same in a chroot.
  unsigned below_folder = 0;
  unsigned below_root = 0;
  bool connect_tcp = false;
  bool abstract_sockets = false;
  CallRules calls;
};

const JailRules& jail_rules(JailRole role);

// "worker", "relay", "config reader", "resolver", "log".
inline const char* name_of(JailRole role) { return jail_rules(role).name; }

}  // namespace m2
