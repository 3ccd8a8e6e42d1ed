// The budget of a process's descriptors, by use. The kernel gives out the lowest number that is
// free, so a number says how many are in use, and a budget costs no counting: each use has a number
// that it must not reach. Code that opens a descriptor for a client asks here. The rest is for
// libzmq, which ends the process or spins when its accept finds none; libzmq cannot be told to stop
// accepting, so more handlers than the rest holds, within one turn of the loop, still exhaust it.
#pragma once

#include <cstdint>

#include "common/owned_fd.h"

namespace m2 {

enum class DescriptorUse : uint8_t {
  kClients,  // connections of clients
  kWork,     // for those clients: files, backends, uploads; and sockets of a new configuration
  kHandlers  // connections of handlers
};

// The first number that is not for this use, by the limit that the process has now.
int descriptor_ceiling(DescriptorUse use);

// Returns fd, which was opened just now, if it is within the budget. Otherwise closes it, sets
// errno to EMFILE and returns an invalid one. An fd that is invalid already keeps its errno.
OwnedFd within_budget(OwnedFd fd, DescriptorUse use);

}  // namespace m2
