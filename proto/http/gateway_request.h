// The head of a request on its way through a gateway to a backend (RFC 9110 7.6, RFC 9112 3.2.1):
// what is meant for the next hop only goes, everything else stays byte for byte and in order.
// Called by the Proxy target for each request; never looks at a body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proto/http/request_head.h"

namespace m2 {

struct GatewayRequest {
  const RequestHead* head = nullptr;
  const char* base = nullptr;    // the bytes the head is in
  std::string_view peer;         // address of the client; "-": it has none
  bool peer_is_origin = false;   // found by forwarded.h: X-Forwarded-For is this address alone
  bool keep_client_xff = false;  // X-Forwarded-For stays as the client sent it, or absent
};

// Names that the Connection fields of one request may list; more is not worth the search.
inline constexpr size_t kConnectionOptionsMax = 16;

// Writes request line and fields, with their blank line, into out (what was there is replaced).
// Content-Length stays, chunked is announced anew: the caller frames the body accordingly. An
// HTTP/1.0 client's request stays HTTP/1.0, since its answer will not be altered either.
// False: the Connection fields list more than kConnectionOptionsMax names.
[[nodiscard]] bool write_gateway_request(const GatewayRequest& request, std::string& out);

// Whether sending a request of this method twice means the same as sending it once (RFC
// 9110 9.2.2).
bool is_idempotent(std::string_view method);

}  // namespace m2
