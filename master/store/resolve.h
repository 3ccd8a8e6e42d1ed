// Names of proxied servers to addresses, outside the jail where the resolver's files are. Runs in
// the config reader, which may start threads and ends soon after.
#pragma once

#include <vector>

#include "common/config/model.h"
#include "master/store/finding.h"

namespace m2 {

// Fills ProxyRow::addresses: numeric, IPv4 first, at most 16. All names are looked up at once, for
// at most limit_ms together. A finding for each row whose name has no address or no answer in time;
// rows without a name are left alone.
void resolve_proxies(std::vector<ProxyRow>& proxies, int limit_ms, Findings& findings);

}  // namespace m2
