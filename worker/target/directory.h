// Dir: files out of one folder. Finds the file, checks conditions, answers; the files themselves
// are kept by FileCache. Never serves what lies outside its base, by any spelling of the path or by
// any link.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/config/model.h"
#include "proto/http/mime.h"
#include "worker/target/file_cache.h"
#include "worker/target/target.h"

namespace m2 {

class Directory final : public Target {
 public:
  // loop outlives the directory.
  Directory(Loop& loop, const DirRow& row, FileCacheLimits limits,
            std::shared_ptr<const MimeTable> mime);

  BodyPolicy body_policy(const Exchange&) const override { return BodyPolicy::kIgnore; }
  void start(Exchange& exchange) override;

 private:
  // The part of the request path that names the file, still encoded.
  static std::string_view file_part(std::string_view path, std::string_view route);
  void answer_file(Exchange& exchange, const std::shared_ptr<CachedFile>& file);
  void redirect_to_slash(Exchange& exchange);
  void answer_failure(Exchange& exchange, int error_number);

  FileCache cache_;
};

}  // namespace m2
