// A list in order of use and a map into it.
#include "worker/target/file_cache.h"

#include <iterator>
#include <utility>

namespace m2 {

size_t FileCache::Hash::operator()(const Key& key) const {
  const size_t path = std::hash<std::string_view>()(key.path);
  return path ^ (std::hash<const void*>()(key.folder) * 31 + static_cast<size_t>(key.coding));
}

const std::shared_ptr<CachedFile>* FileCache::find(const void* folder, std::string_view path,
                                                   ContentCoding coding) {
  const auto found = by_key_.find({folder, coding, path});
  if (found == by_key_.end()) return nullptr;
  const auto entry = found->second;
  if (entry != entries_.begin()) entries_.splice(entries_.begin(), entries_, entry);
  return &entry->file;
}

void FileCache::remember(const void* folder, std::string_view path,
                         std::shared_ptr<CachedFile> file) {
  forget(folder, path, file->coding);
  if (!has_room_for(path.size() + file->answer.size())) return;
  entries_.push_front({folder, std::string(path), std::move(file)});
  by_key_.emplace(entries_.front().key(), entries_.begin());
  bytes_ += entries_.front().bytes();
  shrink();
}

void FileCache::forget(const void* folder, std::string_view path, ContentCoding coding) {
  const auto found = by_key_.find({folder, coding, path});
  if (found != by_key_.end()) erase(found->second);
}

void FileCache::forget_folder(const void* folder) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->folder == folder) erase(entry);
    entry = next;
  }
}

void FileCache::set_limits(FileCacheLimits limits) {
  limits_ = limits;
  shrink();
}

void FileCache::shrink() {
  while (entries_.size() > limits_.files || bytes_ > limits_.bytes)
    erase(std::prev(entries_.end()));
}

void FileCache::erase(Entries::iterator entry) {
  bytes_ -= entry->bytes();
  by_key_.erase(entry->key());
  entries_.erase(entry);
}

}  // namespace m2
