#include "common/descriptor_table.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

namespace m2 {
namespace {

constexpr rlim_t kEntries = 65536;

}  // namespace

void grow_descriptor_table(const OwnedFd& any) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == 0) return;
  const int last = static_cast<int>(std::min(files.rlim_cur, kEntries)) - 1;
  const OwnedFd for_a_moment(::fcntl(any.get(), F_DUPFD_CLOEXEC, last));
}

}  // namespace m2
