// The addresses at which the server binds sockets: what may be written for them in a database.
#pragma once

#include <string_view>

#include "common/status.h"

namespace m2 {

// What a 0MQ endpoint is for, which decides what transports could ever do it.
enum class EndpointUse { kRequests, kReplies, kControl };

// A 0MQ endpoint that the master can bind: "tcp://HOST:PORT" with a numeric IPv4 address, an IPv6
// one in brackets or * as host, or "ipc://PATH". Refused with what is wrong and what to write.
Status check_endpoint(std::string_view endpoint, EndpointUse use = EndpointUse::kReplies);

// A numeric IPv4 or IPv6 address, without brackets.
bool is_numeric_address(std::string_view address);

}  // namespace m2
