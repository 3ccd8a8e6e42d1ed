// Who a request comes from when it came through proxies that are trusted: X-Forwarded-For, or
// Forwarded (RFC 7239). Called once for each request of a trusted peer.
#pragma once

#include "common/ip_network.h"
#include "proto/http/request_head.h"

namespace m2 {

// The rightmost address that is not trusted: each proxy adds the address that it has seen at the
// right, so everything left of the first stranger is only what the stranger says. If all are
// trusted, the leftmost. An entry that is no address ("unknown", "_x") hides what is left of it,
// and the proxy that wrote it counts as the client. Without either field: none.
//
// X-Forwarded-For is used if there is one, else Forwarded: most proxies write the first and pass on
// a client's own Forwarded unread. base: the bytes the head is in.
IpAddress forwarded_client(const RequestHead& head, const char* base, const NetworkList& trusted);

}  // namespace m2
