#include "common/owned_fd.h"

#include <fcntl.h>

namespace m2 {

OwnedFd OwnedFd::duplicate() const { return OwnedFd(::fcntl(fd_, F_DUPFD_CLOEXEC, 0)); }

}  // namespace m2
