// Dir: files out of one folder. Decides what becomes of a request: Folder finds the file,
// FileAnswer answers with it. Never serves what lies outside its base, by any spelling of the path
// or by any link.
#pragma once

#include <memory>
#include <string_view>

#include "worker/target/folder.h"
#include "worker/target/target.h"

namespace m2 {

class Directory final : public Target {
 public:
  // loop outlives the directory.
  Directory(Loop& loop, FolderSettings settings, Resolver resolver,
            std::shared_ptr<FileCache> cache, std::shared_ptr<const MimeTable> mime);

  BodyPolicy body_policy(const Exchange&) const override { return BodyPolicy::kIgnore; }
  void start(Exchange& exchange) override;

 private:
  // The part of the request path that names the file, still encoded.
  static std::string_view file_part(std::string_view path, std::string_view route);
  void redirect_to_slash(Exchange& exchange);
  void answer_listing(Exchange& exchange, Folder::Look look);
  void answer_failure(Exchange& exchange, int error_number);

  Loop& loop_;
  Folder folder_;
};

}  // namespace m2
