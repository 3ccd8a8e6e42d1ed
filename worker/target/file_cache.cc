#include "worker/target/file_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "proto/handler/netstring.h"
#include "proto/http/date.h"
#include "proto/http/uri.h"

namespace m2 {
namespace {

// Up to here one send() of memory costs less than a head and a sendfile().
constexpr off_t kInlineBytes = 256 * 1024;
// File times move in steps of the kernel's tick: a change right after our read may not show.
constexpr int64_t kRacyNs = 50'000'000;

bool same(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec &&
         a.st_mode == b.st_mode;
}

bool changed_just_now(const struct stat& file) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const int64_t age =
      (now.tv_sec - file.st_ctim.tv_sec) * 1'000'000'000 + (now.tv_nsec - file.st_ctim.tv_nsec);
  return age < kRacyNs;
}

// As in Mongrel2 1.x, time and size in hex, and the nanoseconds: strong within one second too.
std::string make_etag(const struct stat& file) {
  char text[64];
  std::snprintf(text, sizeof text, "\"%llx-%llx-%lx\"",
                static_cast<unsigned long long>(file.st_mtim.tv_sec),
                static_cast<unsigned long long>(file.st_size), file.st_mtim.tv_nsec);
  return text;
}

std::string make_head(const CachedFile& file, std::string_view type) {
  // The date comes first, at a fixed place: it is written over each second (directory.cc).
  std::string head = "HTTP/1.1 200 OK\r\nDate: ";
  head.append(kHttpDateBytes, ' ');
  head.append("\r\nContent-Type: ").append(type).append("\r\nContent-Length: ");
  append_decimal(head, static_cast<uint64_t>(file.seen.st_size));
  char modified[kHttpDateBytes];
  write_http_date(file.seen.st_mtim.tv_sec, modified);
  head.append("\r\nLast-Modified: ").append(modified, sizeof modified);
  head.append("\r\nETag: ").append(file.etag);
  head.append("\r\nServer: Mongrel2/" M2_VERSION "\r\n\r\n");
  return head;
}

}  // namespace

FileCache::FileCache(Loop& loop, FileSettings settings, FileCacheLimits limits,
                     std::shared_ptr<const MimeTable> mime)
    : loop_(loop), settings_(std::move(settings)), limits_(limits), mime_(std::move(mime)) {}

FileCache::Look FileCache::find(std::string_view encoded) {
  const auto hit = by_key_.find(encoded);
  if (hit == by_key_.end()) return open_file(encoded);
  const auto entry = hit->second;
  if (!still_true(*entry->file)) {
    forget(entry);
    return open_file(encoded);
  }
  if (entry != entries_.begin()) entries_.splice(entries_.begin(), entries_, entry);
  return {Found::kFile, 0, entry->file};
}

bool FileCache::still_true(CachedFile& file) const {
  if (file.checked_turn == loop_.turn()) return true;
  if (settings_.cache_ttl_s > 0 && loop_.now() - file.checked_at < settings_.cache_ttl_s)
    return true;
  if (file.racy) return false;
  struct stat now {};
  if (::stat(file.path.c_str(), &now) != 0 || !same(now, file.seen)) return false;
  file.checked_turn = loop_.turn();
  file.checked_at = loop_.now();
  return true;
}

FileCache::Look FileCache::open_file(std::string_view encoded) {
  std::string decoded;
  std::string relative;
  if (!percent_decode(encoded, decoded)) return {Found::kFailed, EINVAL, nullptr};
  if (!remove_dot_segments(decoded, relative)) return {Found::kFailed, EXDEV, nullptr};
  const bool names_folder = relative.empty() || relative.back() == '/';
  if (names_folder) relative += settings_.index_file;
  OwnedFd fd = open_beneath(settings_.base, relative);
  if (!fd.valid()) return {Found::kFailed, errno, nullptr};
  Look look = describe(settings_.base + relative, std::move(fd));
  if (look.found == Found::kDirectory && names_folder) return {Found::kFailed, ENOENT, nullptr};
  if (look.found == Found::kFile) remember(encoded, look.file);
  return look;
}

FileCache::Look FileCache::describe(std::string path, OwnedFd fd) {
  auto file = std::make_shared<CachedFile>();
  if (::fstat(fd.get(), &file->seen) != 0) return {Found::kFailed, errno, nullptr};
  if (S_ISDIR(file->seen.st_mode)) return {Found::kDirectory, 0, nullptr};
  if (!S_ISREG(file->seen.st_mode)) return {Found::kFailed, ENOENT, nullptr};
  file->racy = changed_just_now(file->seen);
  file->fd = std::move(fd);
  file->etag = make_etag(file->seen);
  const std::string_view type = mime_->find(path);
  file->answer = make_head(*file, type.empty() ? settings_.default_ctype : type);
  file->head_bytes = file->answer.size();
  file->path = std::move(path);
  file->checked_turn = loop_.turn();
  file->checked_at = loop_.now();
  if (file->seen.st_size <= kInlineBytes) file->body_inline = read_body(*file);
  return {Found::kFile, 0, std::move(file)};
}

// False: the file is shorter than it was a moment ago; it is sent from its descriptor instead.
bool FileCache::read_body(CachedFile& file) const {
  const size_t size = static_cast<size_t>(file.seen.st_size);
  file.answer.resize(file.head_bytes + size);
  size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(file.fd.get(), file.answer.data() + file.head_bytes + done,
                                  size - done, static_cast<off_t>(done));
    if (count <= 0) {
      file.answer.resize(file.head_bytes);
      return false;
    }
    done += static_cast<size_t>(count);
  }
  file.fd.reset();
  return true;
}

void FileCache::remember(std::string_view key, const std::shared_ptr<CachedFile>& file) {
  if (limits_.files == 0 || file->answer.size() > limits_.bytes) return;
  entries_.push_front({std::string(key), file});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += file->answer.size();
  while (entries_.size() > limits_.files || bytes_ > limits_.bytes)
    forget(std::prev(entries_.end()));
}

void FileCache::forget(Entries::iterator entry) {
  bytes_ -= entry->file->answer.size();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace m2
