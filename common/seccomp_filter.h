// The filter of system calls: what is on the role's list is allowed, what only an intruder would
// call ends the process, everything else does not exist (ENOSYS, so that libraries fall back).
// Called by jail.cc, last of all. The lists are in jail_roles.cc.
#pragma once

#include <cstdint>
#include <span>

#include "common/status.h"

namespace m2 {

// A build with sanitizers needs calls (ptrace, personality, /proc) that no jail allows.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kConfinementIsBuilt = false;
#else
inline constexpr bool kConfinementIsBuilt = true;
#endif

// Of sockets a process may make.
inline constexpr unsigned kUnixStreams = 1;
inline constexpr unsigned kTcpStreams = 2;
inline constexpr unsigned kNameService = 4;  // datagrams, and the kernel's list of addresses

struct CallRules {
  std::span<const std::span<const int>> allowed;  // libseccomp's numbers, hottest first
  std::span<const int> fatal;
  unsigned sockets = 0;
  bool executable_memory = false;  // libraries are loaded late (name service)
};

// For this process and the threads it will have; needs no_new_privs and only one thread.
Status enter_filter(const CallRules& rules);

// Whether the filter that answers is ours: a mode alone would not tell it from a container's.
bool our_filter_answers();

}  // namespace m2
