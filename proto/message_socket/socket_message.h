// Messages of JSSockets and XML sockets (manual 5.1.4): "@route {json}" or "<route
// ...>...</route>", each ended by a NUL, on the port where HTTP is spoken too. Used by the client's
// connection, which finds the NUL.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace m2 {

enum class SocketMessageKind : uint8_t {
  kJson,    // for the handler of a route "@..."
  kXml,     // for the handler of a route "<..."
  kPing,    // {"type":"ping"}: keeps the connection alive and goes no further
  kPolicy,  // <policy-file-request/>: answered by socket_policy(), then the connection is closed
};

struct SocketMessage {
  SocketMessageKind kind = SocketMessageKind::kJson;
  std::string_view path;  // with its '@' or '<'
  std::string_view body;  // the JSON object; of XML the whole text
};

// Whether a message, not an HTTP request, begins with this byte.
constexpr bool begins_socket_message(char first) { return first == '@' || first == '<'; }

// text: without its NUL, and beginning as above; the message points into it. The error says what is
// wrong and at which byte.
Result<SocketMessage> parse_socket_message(std::string_view text);

// What an answer looks like on such a socket: base64 and a NUL; one NUL at the end of body is left
// out.
std::string encode_socket_answer(std::string_view body);

// What Flash players ask before they open a socket: every domain, every port. With its NUL.
std::string_view socket_policy();

}  // namespace m2
