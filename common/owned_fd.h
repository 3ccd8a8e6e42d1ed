// OwnedFd: the one way to hold a descriptor. Closed with its owner, moved but never copied.
#pragma once

#include <unistd.h>

#include <utility>

namespace m2 {

class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~OwnedFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  // A close-on-exec duplicate; invalid when the system has none left (errno says why).
  OwnedFd duplicate() const;

 private:
  int fd_ = -1;
};

}  // namespace m2
