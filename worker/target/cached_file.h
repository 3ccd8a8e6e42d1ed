// One state of one file with its answer prepared: the head and, for a small file, the body behind
// it in one piece of memory. Made by Folder, kept by FileCache and by every answer it is part of;
// a file that changes gets another one.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "common/owned_fd.h"
#include "proto/http/accept_encoding.h"
#include "worker/http/output_queue.h"

namespace m2 {

struct CachedFile final : SentFile {
  std::string path;     // below the server's root, with the base
  OwnedFd file;         // closed when the body is inline
  struct stat seen {};  // what the answer was made from
  std::string type;     // Content-Type
  std::string etag;     // strong, with quotes
  std::string etc;      // fields that every answer about the file carries: ETag, Vary, ...
  std::string answer;   // 200: head with its blank line, then the body if it is inline
  size_t head_bytes = 0;
  size_t modified_at = 0;  // where in the head the date of Last-Modified stands
  ContentCoding coding = ContentCoding::kIdentity;
  bool body_inline = false;
  // Changed so shortly before it was read that its times may not show the next change.
  bool racy = false;
  unsigned checked_turn = 0;
  double checked_at = 0;
  CodingSet siblings = 0;  // encoded forms beside it, as seen at siblings_at
  double siblings_at = 0;
  // The last bytes of a file that is not inline: a file that grows keeps them, one that is written
  // anew does not.
  static constexpr size_t kTailBytes = 64;
  std::array<char, kTailBytes> tail{};
  // When its time was first seen to be another one beside the same size; 0: never.
  mutable int64_t doubted_at_ms = 0;

  uint64_t size() const { return static_cast<uint64_t>(seen.st_size); }
  std::time_t modified() const { return seen.st_mtim.tv_sec; }
  std::string_view head() const { return std::string_view(answer).substr(0, head_bytes); }
  std::string_view body() const { return std::string_view(answer).substr(head_bytes); }

  // The whole content. False: it cannot be read, or is shorter than it was.
  bool read_body(std::string& out) const;
  void read_tail();
  bool has_its_tail() const;

  int fd() const override { return file.get(); }
  // Deleted, renamed or grown by what was added at its end, it is the same.
  State state() const override;
};

// Whether two looks at a file saw the same state of the same file.
bool same_state(const struct stat& a, const struct stat& b);

}  // namespace m2
