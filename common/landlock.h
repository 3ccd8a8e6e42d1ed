// Landlock: what this process and its threads may still reach by name, for ever. Degrades with the
// age of the kernel (Documentation/userspace-api/landlock.rst). Called by jail.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace m2 {

// Rights to everything below a folder.
inline constexpr unsigned kMayRead = 1;   // files and listings
inline constexpr unsigned kMayWrite = 2;  // make, change and remove plain files and sockets

struct LandlockFolder {
  std::string path;  // one that is not there allows nothing
  unsigned rights = 0;
};

struct LandlockRules {
  std::vector<LandlockFolder> folders;  // nothing else in the file system can be opened or made
  bool connect_tcp = false;             // nobody may ever bind a TCP port
  bool abstract_sockets = false;        // unix sockets without a file, of other processes
};

// Version of the kernel's Landlock; 0: it has none, or it is switched off, or this build leaves it
// out (sanitizers).
unsigned landlock_version();

// Puts this process under the rules; needs no_new_privs. Whether they hold is tried out, where the
// kernel is new enough for a try that leaves no trace. Returns the version in force, 0 without one.
Result<unsigned> enter_landlock(const LandlockRules& rules);

}  // namespace m2
