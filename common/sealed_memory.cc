#include "common/sealed_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>

namespace m2 {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

}  // namespace

Result<OwnedFd> seal_bytes(const char* name, std::string_view bytes) {
  OwnedFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return Status::from_errno("create a memory file", errno);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Status::from_errno(std::string("write memory file ") + name, errno);
    done += static_cast<size_t>(n);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    return Status::from_errno(std::string("seal memory file ") + name, errno);
  }
  return fd;
}

Result<OwnedFd> shared_memory(const char* name, size_t bytes) {
  OwnedFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return Status::from_errno("create a memory file", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return Status::from_errno(std::string("memory file ") + name, errno);
  }
  return fd;
}

Result<SealedView> SealedView::map(int fd, size_t bytes_max) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return Status::error("descriptor is not a sealed memory file");
  }
  struct stat file;
  if (::fstat(fd, &file) != 0) return Status::from_errno("stat a sealed memory file", errno);
  const size_t size = static_cast<size_t>(file.st_size);
  if (size > bytes_max) {
    return Status::error("sealed memory file has " + std::to_string(size) +
                         " bytes, more than the " + std::to_string(bytes_max) + " allowed");
  }
  if (size == 0) return SealedView(nullptr, 0);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return Status::from_errno("map a sealed memory file", errno);
  return SealedView(address, size);
}

SealedView::SealedView(SealedView&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SealedView& SealedView::operator=(SealedView&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(size_, other.size_);
  return *this;
}

SealedView::~SealedView() {
  if (address_ != nullptr) ::munmap(address_, size_);
}

}  // namespace m2
