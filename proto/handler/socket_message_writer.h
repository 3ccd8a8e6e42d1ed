// Writes what a handler receives for one message of a JSSocket or XML socket: the same layout as a
// request, with the few keys that such a message has (manual 5.1.4, docs/handler-protocol.md).
#pragma once

#include <string>
#include <string_view>

#include "common/config/model.h"
#include "proto/handler/connection_id.h"

namespace m2 {

struct SocketMessageParts {
  std::string_view send_ident;
  ConnectionId id = 0;
  std::string_view path;    // "@chat", "<test"
  std::string_view method;  // "JSON" or "XML"
  std::string_view pattern;
  std::string_view remote_addr;
  std::string_view body;
  std::string_view scheme = "http";
};

// Replaces the contents of out.
void write_socket_message(const SocketMessageParts& parts, HeaderFormat format, std::string& out);

}  // namespace m2
