// Who may have how many of a process's descriptors. The kernel gives out the lowest number that is
// free, so a number says how many are in use, and a budget costs no counting: it is a number that
// must not be reached. Whatever opens a descriptor for a client asks here; libzmq, which ends the
// process or spins when its accept finds none, always finds the rest.
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

// What was opened just now, if it is within the budget; else it is closed again, and errno is
// EMFILE. An invalid one keeps its errno.
OwnedFd within_budget(OwnedFd fd, DescriptorUse use);

}  // namespace m2
