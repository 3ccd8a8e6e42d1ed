#include "common/descriptor_budget.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace m2 {
namespace {

// An eighth of all is kept from clients, within these bounds.
constexpr int kReserveMin = 32;
constexpr int kReserveMax = 256;

}  // namespace

int descriptor_ceiling(DescriptorUse use) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const int limit = static_cast<int>(std::min<rlim_t>(files.rlim_cur, 1 << 30));
  const int reserve = std::clamp(limit / 8, kReserveMin, kReserveMax);
  switch (use) {
    case DescriptorUse::kClients:
      return limit - reserve;
    case DescriptorUse::kWork:
      return limit - reserve / 2;
    case DescriptorUse::kHandlers:
      return limit - reserve / 8;  // more may come before one is sent away
  }
  return 0;
}

OwnedFd within_budget(OwnedFd fd, DescriptorUse use) {
  if (!fd.valid() || fd.get() < descriptor_ceiling(use)) return fd;
  fd.reset();
  errno = EMFILE;
  return fd;
}

}  // namespace m2
