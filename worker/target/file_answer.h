// Answers about one file: the whole, parts of it, or that there is no need. Called by Directory
// once the file is found; never looks at the file system.
#pragma once

#include <ctime>
#include <memory>

#include "proto/http/file_fields.h"
#include "worker/target/cached_file.h"

namespace m2 {

class Exchange;

// Conditions first, then ranges, in the order of RFC 9110 13.2.2. Completes the exchange, whose
// method is GET or HEAD. now: the time that its Date names.
void answer_with_file(Exchange& exchange, const std::shared_ptr<CachedFile>& file,
                      const FileFields& fields, std::time_t now);

}  // namespace m2
