// Which server of a database is meant.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "master/store/rows.h"

namespace m2 {

// The id of the one server row with this uuid or, when no uuid is equal, the one with this name or
// default_host (manual 3.9). None: a finding lists the candidates.
std::optional<int64_t> select_server(ReadContext& context, std::string_view server);

}  // namespace m2
