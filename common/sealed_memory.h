// Bytes in a memory file that nobody can change or cut any more: how a plan and an image travel
// from the config reader through the master to every child, each of which maps the same pages.
#pragma once

#include <cstddef>
#include <string_view>

#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

// A new sealed memory file with these bytes; name shows in /proc only. Close-on-exec.
Result<OwnedFd> seal_bytes(const char* name, std::string_view bytes);

// A new memory file of zeros for processes that share it. It keeps its size, so that whoever maps
// it cannot be hurt by the others (SIGBUS). Close-on-exec.
Result<OwnedFd> shared_memory(const char* name, size_t bytes);

// A read-only mapping, valid as long as the view lives; the descriptor may be closed.
class SealedView {
 public:
  // Refused: anything but a memory file that is sealed against writing, growing, shrinking and
  // unsealing, or more than bytes_max bytes. A sealed file can neither change while it is read nor
  // raise SIGBUS, whoever made it.
  static Result<SealedView> map(int fd, size_t bytes_max);

  SealedView(SealedView&& other) noexcept;
  SealedView& operator=(SealedView&& other) noexcept;
  ~SealedView();

  std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

 private:
  SealedView(void* address, size_t size) : address_(address), size_(size) {}

  void* address_;  // nullptr when empty
  size_t size_;
};

}  // namespace m2
