#include "common/descriptor_kinds.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace m2 {
namespace {

constexpr rlim_t kNumbersLeast = 1024;
constexpr rlim_t kNumbersMost = 65536;

DescriptorKind kind_of(mode_t mode) {
  if (S_ISCHR(mode) || S_ISBLK(mode)) return DescriptorKind::kDevice;
  if (S_ISREG(mode)) return DescriptorKind::kFile;
  if (S_ISDIR(mode)) return DescriptorKind::kFolder;
  if (S_ISFIFO(mode)) return DescriptorKind::kPipe;
  return S_ISSOCK(mode) ? DescriptorKind::kSocket : DescriptorKind::kOther;
}

}  // namespace

Result<DescriptorCounts> count_descriptors(std::span<const int> numbers) {
  DescriptorCounts counts{};
  for (const int fd : numbers) {
    if (fd < 0) continue;
    struct stat facts;
    if (::fstat(fd, &facts) != 0) {
      return Status::from_errno("look at descriptor " + std::to_string(fd), errno);
    }
    ++counts[static_cast<size_t>(kind_of(facts.st_mode))];
  }
  return counts;
}

Result<DescriptorCounts> count_own_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return Status::from_errno("RLIMIT_NOFILE", errno);
  const int end = static_cast<int>(std::clamp(limit.rlim_cur, kNumbersLeast, kNumbersMost));
  std::vector<int> open;
  for (int fd = 0; fd < end; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) open.push_back(fd);
  }
  return count_descriptors(open);
}

}  // namespace m2
