// Files beneath a folder, whatever their names and links say: the kernel resolves the path and
// refuses to leave the folder. Called by Folder and DirListing, on whose every path it stands.
#pragma once

#include <cstdint>
#include <string>

#include "common/owned_fd.h"

namespace m2 {

enum class Resolver : uint8_t {
  kKernel,  // openat2(RESOLVE_BENEATH): links that stay inside are followed
  kWalk  // component by component, no links at all: kernels before 5.6, and jails without the call
};
// What this process may use; looked up once by who makes the targets. Warns if it is kWalk.
Resolver best_resolver();

// Opens base/relative for reading, if it is a plain file or a folder and lies beneath base, which
// itself may be or contain links. relative: no leading '/', no "." or ".." segments; "" is the
// folder itself. Nothing but plain files and folders is ever opened: not even for a moment, since
// that would wake who waits at the other end of a FIFO. Invalid: errno says why; EXDEV it would
// leave the base, ENXIO it is a FIFO, socket or device,
// EMFILE it is beyond the budget (common/descriptor_budget.h).
OwnedFd open_beneath(const std::string& base, const std::string& relative, Resolver resolver);

}  // namespace m2
