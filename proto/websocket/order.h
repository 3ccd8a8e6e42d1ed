// What a handler of the `messages` contract says beyond a text: the body of an extended message
// (docs/websockets.md), [ "websocket", { KIND: VALUE } ] as a tnetstring. Zero-copy.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/status.h"
#include "proto/websocket/frame.h"

namespace m2 {

struct WebSocketOrder {
  enum class Kind : uint8_t { kText, kBinary, kClose };
  Kind kind = Kind::kText;
  std::string_view payload;  // of a message; the reason of a close
  CloseCode code = CloseCode::kNormal;
};

// Whether the body of an extended message is meant for WebSockets: its key is "websocket".
bool is_websocket_order(std::string_view body);

// The order in such a body. Errors say what is wrong with it.
Result<WebSocketOrder> read_websocket_order(std::string_view body);

}  // namespace m2
