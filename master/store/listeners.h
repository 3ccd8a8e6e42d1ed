// The optional table `listener`: further places where clients come in, and whom the server trusts
// there.
#pragma once

#include <cstdint>

#include "common/config/model.h"
#include "master/store/finding.h"
#include "master/store/rows.h"

namespace m2 {

// The rows that belong to the server, each checked by itself.
void load_listeners(ReadContext& context, int64_t server_id, Config& config);

// What the settings say about trust, and whether it fits the listeners.
void check_trust(const Config& config, Findings& findings);

}  // namespace m2
