// One file of mkstemp(3)'s kind, written from beginning to end. Half-done files are known by two
// marks, the sticky bit and a lock, so that sweep_half_done() finds those of a worker that was
// killed, and nothing else. Every call may block: for the disk thread (disk_thread.h) only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "common/owned_fd.h"

namespace m2 {

// How a path that becomes a file must end.
inline constexpr std::string_view kTemplateEnd = "XXXXXX";

class TempFile {
 public:
  // All return 0 or an errno.

  // path_template: ends in kTemplateEnd; the file gets exactly this mode. Descriptors are
  // close-on-exec, the file is new (O_EXCL), a link is not followed.
  int create(const std::string& path_template, mode_t mode);
  int write(std::string_view bytes);
  // The file is whole: its marks go, and it is closed.
  int finish();
  // Whatever was reached. A file that somebody has moved away is no error.
  int remove();

  const std::string& path() const { return path_; }  // of create()

 private:
  int mark(mode_t mode);

  std::string path_;
  OwnedFd file_;
  mode_t mode_ = 0;
};

// Removes the half-done files of this template that no living process writes; they are this user's,
// plain, and marked. Returns how many.
size_t sweep_half_done(const std::string& path_template);

}  // namespace m2
