// The opening handshake (RFC 6455, 4): which requests ask for a WebSocket, the accept value, the
// answer. Pure functions, called by the handler target and its WebSocket responders.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"
#include "proto/http/request_head.h"

namespace m2 {

// All five fields are there: Host, Sec-WebSocket-Key, Sec-WebSocket-Version, "Upgrade: websocket"
// and "Connection: upgrade". As Mongrel2 1.x sees it: no more is looked at. base: the bytes of
// head.
bool asks_for_websocket(const RequestHead& head, const char* base);

// What RFC 6455, 4.2.1 asks for beyond that. status: what to answer instead (400, 405, 426).
struct HandshakeFault {
  int status = 0;  // 0: none
  std::string_view why;
};
HandshakeFault check_handshake(const RequestHead& head, const char* base);

// Base64 of the SHA-1 of the key and the GUID of RFC 6455, 1.3.
std::string accept_value(std::string_view key);

// The whole 101 answer. protocol and extension: the field values, "" for none.
std::string handshake_answer(std::string_view accept, std::string_view protocol,
                             std::string_view extension);

// The first word of a comma separated list, without blanks; "" when it is not a token.
std::string_view first_token(std::string_view list);

}  // namespace m2
