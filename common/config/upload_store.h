// The form of upload.temp_store and upload.temp_store_mode: checked by master/store, read by
// workers.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "common/status.h"

namespace m2 {

// "uploads/body.XXXXXX": a path in whose last part six X stand for letters to be chosen.
Status check_temp_store(std::string_view path);
// "0640": octal with a leading zero; the owner must be able to read and write. The reason of an
// error stands alone, without key and value.
Result<mode_t> parse_temp_store_mode(std::string_view text);

}  // namespace m2
