// Names of proxied servers to addresses, outside the jail where the resolver's files are. Runs in
// the config reader and in the resolver, which may start threads and end soon after.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/treaty/addresses.h"
#include "master/store/finding.h"

namespace m2 {

// All names at once, for at most limit_ms together. Numeric addresses, IPv4 first, at most 16 each.
// failures: why the others have none.
NamedAddresses look_up(const std::vector<std::string>& names, int limit_ms,
                       std::map<std::string, std::string>& failures);

// The hosts of these rows that are names, each once.
std::vector<std::string> names_of(const std::vector<ProxyRow>& proxies);

// Fills BackendRow::addresses. A host without an address is a warning: workers have it looked up
// again for as long as requests for it come.
void resolve_proxies(Config& config, int limit_ms, Findings& findings);

}  // namespace m2
