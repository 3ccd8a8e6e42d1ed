// The head of a request on its way through a gateway to a backend (RFC 9110 7.6, RFC 9112 3.2.1):
// what is meant for the next hop only goes, everything else stays byte for byte and in order.
// Called by the Proxy target for each request; never looks at a body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http/request_head.h"
#include "proto/http/request_id.h"

namespace m2 {

struct GatewayRequest {
  const RequestHead* head = nullptr;
  const char* base = nullptr;    // the bytes the head is in
  std::string_view peer;         // address of the client; "-": it has none
  bool peer_is_origin = false;   // found by forwarded.h: X-Forwarded-For is this address alone
  bool peer_is_trusted = false;  // what it says by other forwarding fields (forwarded.h) goes on
  std::string_view scheme = {};  // X-Forwarded-Proto, in place of the client's; "": none is sent
  bool keep_client_xff = false;  // X-Forwarded-For stays as the client sent it, or absent
  bool via = true;               // add a Via field (RFC 9110 7.6.3)
  RequestId request_id = 0;      // X-Request-Id, in place of the client's; 0: that stays
  std::string_view default_host = {};  // for a client of HTTP/1.0 that named none
};

enum class GatewayVerdict : uint8_t {
  kForward,
  kAnswerHere,    // OPTIONS with Max-Forwards: 0: we are the last (RFC 9110 7.6.2)
  kTooManyNames,  // the Connection fields list more than kConnectionOptionsMax names: 400
  kBadForwards    // Max-Forwards of an OPTIONS is not one number: 400
};

// Writes request line and fields, with their blank line, into out (what was there is replaced; but
// for kForward it means nothing). The version is ours, HTTP/1.1. Content-Length stays, chunked is
// announced anew: the caller frames the body accordingly. An Upgrade to websocket is asked for
// again, any other is not.
[[nodiscard]] GatewayVerdict write_gateway_request(const GatewayRequest& request, std::string& out);

// Whether this head asks for what write_gateway_request() passes on as an Upgrade.
bool forwards_upgrade(const RequestHead& head, const char* base);

// Whether its Connection fields name fields: these must not come as trailers either.
bool connection_names_fields(const RequestHead& head, const char* base);

// The trailers of a chunked request that may go on: raw, with their blank line, appended to out.
// Nothing that frames, routes, changes or authorises a request can come behind it (RFC 9110 6.5.1).
void append_gateway_trailers(std::string_view raw, std::string& out);

// Whether sending a request of this method twice means the same as sending it once (RFC
// 9110 9.2.2).
bool is_idempotent(std::string_view method);

}  // namespace m2
