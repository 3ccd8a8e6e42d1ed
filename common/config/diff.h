// What a reload changes, in words: for the log and for whoever asked. Run by the config reader,
// the only process that may look into both configurations.
#pragma once

#include <string>

#include "common/config/model.h"

namespace m2 {

// "2 routes added, 1 route changed, setting drain_ms changed", or "nothing changed".
std::string describe_changes(const Config& before, const Config& after);

}  // namespace m2
