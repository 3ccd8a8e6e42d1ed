// The error log (log.h) of the master, whose lines another process writes.
#pragma once

#include "common/owned_fd.h"

namespace m2 {

// channel: the end for us of a pair whose other end is served by serve_log_channel().
void log_hand_to(OwnedFd channel);

}  // namespace m2
