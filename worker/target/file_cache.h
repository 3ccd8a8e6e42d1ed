// The open-file cache of a worker: states of files by folder and path, the longest unused forgotten
// first. Shared by all folders, so that its limits are those of the process. Never touches a file;
// whether what it keeps is still true is the business of Folder.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "worker/target/cached_file.h"

namespace m2 {

struct FileCacheLimits {
  size_t files = 1024;       // dir.cache_files
  size_t bytes = 32u << 20;  // dir.cache_bytes
};

class FileCache {
 public:
  explicit FileCache(FileCacheLimits limits) : limits_(limits) {}

  // path: as in the request, below the folder; together with the folder and the coding it is the
  // key. The pointer is valid until the next call; nullptr: not known. Moves it to the front.
  const std::shared_ptr<CachedFile>* find(const void* folder, std::string_view path,
                                          ContentCoding coding);
  // Replaces what has the same key.
  void remember(const void* folder, std::string_view path, std::shared_ptr<CachedFile> file);
  void forget(const void* folder, std::string_view path, ContentCoding coding);
  void forget_folder(const void* folder);
  // Whether an answer of this size would be kept.
  bool has_room_for(size_t bytes) const { return limits_.files > 0 && bytes <= limits_.bytes; }
  void set_limits(FileCacheLimits limits);

  size_t files() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Key {
    const void* folder;
    ContentCoding coding;
    std::string_view path;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  struct Entry {
    const void* folder;
    std::string path;
    std::shared_ptr<CachedFile> file;
    Key key() const { return {folder, file->coding, path}; }
    size_t bytes() const { return path.size() + file->answer.size(); }
  };
  using Entries = std::list<Entry>;

  void erase(Entries::iterator entry);
  void shrink();

  FileCacheLimits limits_;
  Entries entries_;  // most recently used first
  std::unordered_map<Key, Entries::iterator, Hash> by_key_;
  size_t bytes_ = 0;
};

}  // namespace m2
