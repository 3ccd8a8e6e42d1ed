// Open files of one Dir with their answers prepared: head and, for small files, the body behind it
// in one piece of memory, so that a hit is one system call. A file is looked at again once in each
// turn of the loop (every request served in a turn had arrived before that look), or every
// cache_ttl seconds.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "proto/http/mime.h"

namespace m2 {

struct FileCacheLimits {
  size_t files = 1024;       // dir.cache_files
  size_t bytes = 32u << 20;  // dir.cache_bytes
};

struct CachedFile {
  std::string path;  // below the server's root, with the base
  OwnedFd fd;
  struct stat seen {};  // what the answer was made from
  std::string etag;     // with quotes
  std::string answer;   // head with its blank line, then the body if it is inline
  size_t head_bytes = 0;
  bool body_inline = false;
  bool racy =
      false;  // changed so shortly before it was read that its times may not show the next change
  unsigned checked_turn = 0;
  double checked_at = 0;
  int64_t date_second = -1;
};

struct FileSettings {
  std::string base;  // ends in '/'
  std::string index_file;
  std::string default_ctype;
  uint32_t cache_ttl_s = 0;
};

class FileCache {
 public:
  enum class Found : uint8_t { kFile, kDirectory, kFailed };
  struct Look {
    Found found = Found::kFailed;
    int error_number = 0;  // kFailed: an errno
    std::shared_ptr<CachedFile> file;
  };

  FileCache(Loop& loop, FileSettings settings, FileCacheLimits limits,
            std::shared_ptr<const MimeTable> mime);

  // encoded: the part of the request path below the base, percent-encoded as received.
  Look find(std::string_view encoded);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Entry {
    std::string key;
    std::shared_ptr<CachedFile> file;
  };
  using Entries = std::list<Entry>;

  bool still_true(CachedFile& file) const;
  Look open_file(std::string_view encoded);
  Look describe(std::string path, OwnedFd fd);
  bool read_body(CachedFile& file) const;
  void remember(std::string_view key, const std::shared_ptr<CachedFile>& file);
  void forget(Entries::iterator entry);

  Loop& loop_;
  const FileSettings settings_;
  const FileCacheLimits limits_;
  const std::shared_ptr<const MimeTable> mime_;
  Entries entries_;  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator, Hash, std::equal_to<>> by_key_;
  size_t bytes_ = 0;
};

// Opens base/relative for reading; the result lies beneath base whatever links there are. Invalid:
// errno says why.
OwnedFd open_beneath(const std::string& base, const std::string& relative);

}  // namespace m2
