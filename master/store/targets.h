// What routes lead to: rows of directory, proxy and handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/config/model.h"
#include "master/store/rows.h"

namespace m2 {

// A route of the Config whose target is still to be found: its kind is known, the row's id is here.
struct RouteTarget {
  size_t host = 0;   // index into Config::hosts
  size_t route = 0;  // index into its routes
  int64_t id = 0;    // of a row in the table of that kind
};

// Reads the rows that are wanted, once each, into config, and points the routes at them. Handler
// rows with the same two endpoints become one. Findings: a row that is not there, two handler rows
// that would have to share one pair of sockets and differ.
void load_targets(ReadContext& context, const std::vector<RouteTarget>& wanted, Config& config);

}  // namespace m2
