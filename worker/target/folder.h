// The files of one Dir: a request path becomes a file beneath the base, in the form that the client
// wants, with its answer prepared. A file is looked at again once in each turn of the loop (every
// request served in a turn had arrived before that look); one whose content is in memory may be
// spared the look for cache_ttl seconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/config/model.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "proto/http/mime.h"
#include "worker/target/cached_file.h"
#include "worker/target/file_cache.h"
#include "worker/target/open_beneath.h"

namespace m2 {

struct FolderSettings {
  std::string base;  // ends in '/'
  std::string index_file;
  std::string default_ctype;
  std::string charset;  // added to types of text that name none; "": nothing is added
  uint32_t cache_ttl_s = 0;
  bool precompressed = false;
  bool listing = false;
  FileIdentity database;  // never served, under whatever name
};

class Folder {
 public:
  enum class Found : uint8_t {
    kFile,
    kDirectory,   // the path wants a '/' at its end
    kListing,     // a folder without an index file that may be listed
    kNoFormFits,  // the client accepts none of the forms that there are
    kFailed
  };
  struct Look {
    Found found = Found::kFailed;
    int error_number = 0;              // kFailed: an errno
    std::shared_ptr<CachedFile> file;  // kFile
    OwnedFd folder;                    // kListing
    std::string relative;              // kListing: the folder's path below the base
  };

  // loop outlives the folder.
  Folder(Loop& loop, FolderSettings settings, Resolver resolver, std::shared_ptr<FileCache> cache,
         std::shared_ptr<const MimeTable> mime);
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // encoded: the part of the request path below the base, as received. accept_encoding: the value
  // of the field (accept_encoding.h).
  Look find(std::string_view encoded, std::string_view accept_encoding);
  const FolderSettings& settings() const { return settings_; }
  Resolver resolver() const { return resolver_; }

 private:
  Look find_form(std::string_view encoded, ContentCoding coding);
  Look open_form(std::string_view encoded, ContentCoding coding);
  Look describe(std::string path, OwnedFd fd, ContentCoding coding);
  bool still_true(CachedFile& file) const;
  void look_for_siblings(CachedFile& plain) const;
  std::string type_of(std::string_view path) const;
  std::string make_etag(const CachedFile& file, const std::string* body);  // nullptr: too large

  Loop& loop_;
  const FolderSettings settings_;
  const Resolver resolver_;
  const std::shared_ptr<FileCache> cache_;
  const std::shared_ptr<const MimeTable> mime_;
  uint64_t racy_number_;  // makes tags of states that may not last unlike all others
};

}  // namespace m2
