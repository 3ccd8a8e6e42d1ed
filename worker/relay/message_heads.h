// The little that the relay reads of what it passes on: whose a message is. Pure functions.
// The formats: docs/handler-protocol.md.
#pragma once

#include <string_view>

#include "proto/handler/connection_id.h"
#include "proto/handler/reply_parser.h"

namespace m2 {

struct RequestHeadFacts {
  ConnectionId id = 0;      // 0: not a request as our workers write it
  bool disconnect = false;  // the notice that the client has left
  bool credits = false;     // how much of an answer it has taken
};

// "UUID ID PATH SIZE:HEADERS,SIZE:BODY,"
RequestHeadFacts read_request_head(std::string_view message);

// A message that closes the connections it names: of zero length, or an extended "cancel".
bool asks_for_the_end(const Reply& reply);

}  // namespace m2
