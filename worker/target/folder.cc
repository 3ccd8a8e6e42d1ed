// From a request path to an open file, and from its state to its tag.
#include "worker/target/folder.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "proto/http/syntax.h"
#include "proto/http/uri.h"
#include "worker/target/file_head.h"

namespace m2 {
namespace {

// Up to here one send() of memory costs less than a head and a sendfile(), however little memory
// bandwidth there is; a larger copy costs more where neighbours use that up (docs/files.md).
constexpr off_t kInlineBytes = 32 * 1024;
// Up to here the content is part of the tag.
constexpr off_t kTaggedBytes = 256 * 1024;
constexpr size_t kHeadBytes = 512;  // about what a head takes in the cache
// File times move in steps of the kernel's tick: a change right after our read may not show.
constexpr int64_t kRacyNs = 50'000'000;
// How often encoded forms beside a file are looked for; one that is known is looked at each time.
constexpr double kSiblingsS = 1.0;

int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

bool changed_just_now(const struct stat& file) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now) - nanoseconds(file.st_ctim) < kRacyNs;
}

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

uint64_t mixed(uint64_t hash, std::string_view bytes) {
  for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t))) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    hash = mixed(hash, word);
  }
  for (const char c : bytes) hash = mixed(hash, static_cast<uint8_t>(c));
  return hash;
}

// A name in a file system never contains '/', so no file is meant.
bool has_encoded_slash(std::string_view encoded) {
  for (size_t at = 0; (at = encoded.find("%2", at)) != std::string_view::npos; at += 2) {
    if (at + 2 < encoded.size() && ascii_lower(encoded[at + 2]) == 'f') return true;
  }
  return false;
}

// Types of text; one with parameters is complete.
bool takes_charset(std::string_view type) {
  if (type.find(';') != std::string_view::npos) return false;
  return type.starts_with("text/") || type.ends_with("+xml") || type == "application/xml" ||
         type == "application/javascript" || type == "application/x-javascript";
}

std::string_view extension_of(ContentCoding coding) {
  for (const CodingName& name : kCodingNames) {
    if (name.coding == coding) return name.extension;
  }
  return {};
}

Folder::Look failed(int error_number) {
  Folder::Look look;
  look.error_number = error_number;
  return look;
}

// An encoded form that is older than the file was made of another state of it.
bool is_older(const CachedFile& packed, const CachedFile& plain) {
  return nanoseconds(packed.seen.st_mtim) < nanoseconds(plain.seen.st_mtim);
}

}  // namespace

Folder::Folder(Loop& loop, FolderSettings settings, Resolver resolver,
               std::shared_ptr<FileCache> cache, std::shared_ptr<const MimeTable> mime)
    : loop_(loop),
      settings_(std::move(settings)),
      resolver_(resolver),
      cache_(std::move(cache)),
      mime_(std::move(mime)) {
  CHECK(::getrandom(&racy_number_, sizeof racy_number_, 0) == sizeof racy_number_);
}

Folder::~Folder() { cache_->forget_folder(this); }

Folder::Look Folder::find(std::string_view encoded, std::string_view accept_encoding) {
  Look plain = find_form(encoded, ContentCoding::kIdentity);
  if (!settings_.precompressed || plain.found != Found::kFile) return plain;
  if (accept_encoding.data() == nullptr) return plain;
  CachedFile& file = *plain.file;
  if (loop_.now() - file.siblings_at >= kSiblingsS) look_for_siblings(file);
  for (;;) {
    const ContentCoding coding = choose_coding(accept_encoding, file.siblings);
    if (coding == ContentCoding::kIdentity) return plain;
    if (coding == ContentCoding::kNone) {
      plain.found = Found::kNoFormFits;
      return plain;
    }
    Look packed = find_form(encoded, coding);
    if (packed.found == Found::kFile && !is_older(*packed.file, file)) return packed;
    file.siblings &= static_cast<CodingSet>(~coding_bit(coding));
  }
}

void Folder::look_for_siblings(CachedFile& plain) const {
  plain.siblings = 0;
  plain.siblings_at = loop_.now();
  for (const CodingName& name : kCodingNames) {
    struct stat found {};
    const std::string path = plain.path + std::string(name.extension);
    if (::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode)) {
      plain.siblings |= coding_bit(name.coding);
    }
  }
}

Folder::Look Folder::find_form(std::string_view encoded, ContentCoding coding) {
  const std::shared_ptr<CachedFile>* hit = cache_->find(this, encoded, coding);
  if (hit != nullptr && still_true(**hit)) {
    Look look;
    look.found = Found::kFile;
    look.file = *hit;
    return look;
  }
  if (hit != nullptr) cache_->forget(this, encoded, coding);
  return open_form(encoded, coding);
}

bool Folder::still_true(CachedFile& file) const {
  if (file.checked_turn == loop_.turn()) return true;
  // What is sent from its descriptor would show a change at once, under the old tag.
  if (file.body_inline && loop_.now() - file.checked_at < settings_.cache_ttl_s) return true;
  if (file.racy) return false;
  struct stat now {};
  if (::stat(file.path.c_str(), &now) != 0 || !same_state(now, file.seen)) return false;
  file.checked_turn = loop_.turn();
  file.checked_at = loop_.now();
  return true;
}

Folder::Look Folder::open_form(std::string_view encoded, ContentCoding coding) {
  std::string decoded;
  std::string relative;
  if (has_encoded_slash(encoded) || !percent_decode(encoded, decoded)) return failed(EINVAL);
  if (!remove_dot_segments(decoded, relative)) return failed(EXDEV);
  const bool names_folder = relative.empty() || relative.back() == '/';
  const std::string name = names_folder ? relative + settings_.index_file : relative;
  const std::string file = name + std::string(extension_of(coding));
  OwnedFd fd = open_beneath(settings_.base, file, resolver_);
  Look look = fd.valid() ? describe(settings_.base + file, std::move(fd), coding) : failed(errno);
  if (look.found == Found::kFile) cache_->remember(this, encoded, look.file);
  if (!names_folder) return look;
  if (look.found == Found::kDirectory) look = failed(ENOENT);
  if (look.found != Found::kFailed || look.error_number != ENOENT || !settings_.listing)
    return look;
  OwnedFd folder = open_beneath(settings_.base, relative, resolver_);
  if (!folder.valid()) return failed(errno);
  look.found = Found::kListing;
  look.folder = std::move(folder);
  look.relative = std::move(relative);
  return look;
}

Folder::Look Folder::describe(std::string path, OwnedFd fd, ContentCoding coding) {
  auto file = std::make_shared<CachedFile>();
  if (::fstat(fd.get(), &file->seen) != 0) return failed(errno);
  Look look;
  look.found = Found::kDirectory;
  if (S_ISDIR(file->seen.st_mode)) return look;
  if (!S_ISREG(file->seen.st_mode)) return failed(ENXIO);
  if (FileIdentity{file->seen.st_dev, file->seen.st_ino} == settings_.database) {
    return failed(EACCES);
  }
  file->racy = changed_just_now(file->seen);
  file->file = std::move(fd);
  file->coding = coding;
  file->type = type_of(std::string_view(path).substr(0, path.size() - extension_of(coding).size()));
  file->path = std::move(path);
  file->checked_turn = loop_.turn();
  file->checked_at = loop_.now();
  std::string body;
  const bool tagged = file->seen.st_size <= kTaggedBytes &&
                      cache_->has_room_for(static_cast<size_t>(file->size()) + kHeadBytes) &&
                      file->read_body(body);
  // Whose next change may not show is not sent from the file: it would have the tag of this one.
  file->body_inline = tagged && (file->seen.st_size <= kInlineBytes || file->racy);
  file->etag = make_etag(*file, tagged ? &body : nullptr);
  prepare_head({settings_.cache_ttl_s, settings_.precompressed}, *file);
  if (file->body_inline) {
    file->answer.append(body);
    file->file.reset();
  } else {
    file->read_tail();
  }
  look.found = Found::kFile;
  look.file = std::move(file);
  return look;
}

std::string Folder::type_of(std::string_view path) const {
  const std::string_view known = mime_->find(path);
  std::string type(known.empty() ? settings_.default_ctype : known);
  if (!settings_.charset.empty() && takes_charset(type)) {
    type.append("; charset=").append(settings_.charset);
  }
  return type;
}

// As in Mongrel2 1.x, time and size in hex; then what else tells two states of a file apart: the
// nanoseconds, which file it is, the time of the last change of any kind, which nobody can set, and
// the content of a small one. A large one whose times may not show its next change has another tag
// at each look.
std::string Folder::make_etag(const CachedFile& file, const std::string* body) {
  const struct stat& seen = file.seen;
  uint64_t state = mixed(0, static_cast<uint64_t>(seen.st_mtim.tv_nsec));
  state = mixed(state, static_cast<uint64_t>(nanoseconds(seen.st_ctim)));
  state = mixed(state, seen.st_ino);
  state = mixed(state, seen.st_dev);
  state = mixed(state, static_cast<uint64_t>(file.coding));
  if (body != nullptr) {
    state = mixed(state, std::string_view(*body));
  } else if (file.racy) {
    state = mixed(state, ++racy_number_);
  }
  char text[64];
  std::snprintf(
      text, sizeof text, "\"%llx-%llx-%llx\"", static_cast<unsigned long long>(seen.st_mtim.tv_sec),
      static_cast<unsigned long long>(seen.st_size), static_cast<unsigned long long>(state));
  return text;
}

}  // namespace m2
