// A Config as bytes: canonical JSON, written by the config reader, mapped read-only by every child.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/config/model.h"
#include "common/status.h"

namespace m2 {

// A million routes take about half of this.
inline constexpr size_t kImageBytesMax = 512u << 20;

std::string write_image(const Config& config);
// bytes need no padding and may go away afterwards.
Result<Config> read_image(std::string_view bytes);

}  // namespace m2
