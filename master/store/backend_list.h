// proxy.addr: the servers of one Proxy, one or several. Called by the loader of the proxy table;
// resolves nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/status.h"

namespace m2 {

// "app1, app2:8081, 10.0.0.3, [::1]:80": hosts with commas between them, each with its own port or
// the row's. An IPv6 address needs brackets only before a port. Refused with what is wrong and what
// to write: no host, a bad port, a host that is neither a name nor an address, one that comes
// twice, more than kBackendsMax.
Result<std::vector<BackendRow>> parse_backends(std::string_view addr, uint16_t port);

}  // namespace m2
