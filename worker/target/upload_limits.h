// The settings of uploads, as a generation has them. docs/settings.md explains each.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/config/settings.h"

namespace m2 {

struct UploadLimits {
  std::string temp_store;  // "": none
  mode_t temp_store_mode = 0600;
  bool stream = false;
  uint64_t max_bytes = 0;
  uint32_t files = 0;
  uint32_t disk_ms = 0;
  explicit UploadLimits(const Settings& settings);
  bool accepted() const { return stream || !temp_store.empty(); }
};

}  // namespace m2
