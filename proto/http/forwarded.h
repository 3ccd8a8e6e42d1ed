// Who a request comes from, and by which scheme, when it came through proxies that are trusted:
// X-Forwarded-For and X-Forwarded-Proto, or Forwarded (RFC 7239). Read once for each request of a
// trusted peer; of others the fields mean nothing.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/ip_network.h"
#include "proto/http/request_head.h"

namespace m2 {

enum class ForwardedScheme : uint8_t { kNotSaid, kHttp, kHttps };

struct ForwardedRequest {
  IpAddress client;  // none: nothing is said
  ForwardedScheme scheme = ForwardedScheme::kNotSaid;
};

// client: the rightmost address that is not trusted: each proxy adds the address that it has seen
// at the right, so everything left of the first stranger is only what the stranger says. If all are
// trusted, the leftmost. An entry that is no address ("unknown", "_x") hides what is left of it,
// and the proxy that wrote it counts as the client. Without either field: none.
//
// scheme: the last value of X-Forwarded-Proto, which the peer itself wrote or let stand; those left
// of it may be a client's. In Forwarded the proto that stands beside the client's address. "wss"
// and "ws" are what some proxies say for WebSockets.
//
// The X- fields are used if there is one of them, else Forwarded: most proxies write these and pass
// on a client's own Forwarded unread. base: the bytes the head is in.
ForwardedRequest read_forwarded(const RequestHead& head, const char* base,
                                const NetworkList& trusted);

// Whether proxies say by a field of this name for whom, by which scheme, for which host or path
// they ask, X-Forwarded-For included: the word of a client must not pass for theirs. An '_' counts
// as '-', since many programs cannot tell them apart (CGI).
bool is_forwarding_field(std::string_view name);

}  // namespace m2
