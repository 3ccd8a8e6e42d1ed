// The head of an answer on its way from a backend to a client: what was meant for this server only
// goes, what every answer must have comes, everything else stays byte for byte and in order (manual
// 3.4.5). Called by the Proxy target for each head, interim ones too; never looks at a body.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

struct GatewayAnswer {
  // With its status line and blank line, as ResponseReader took it: framing is sound, no CR and no
  // NUL stands within a line.
  std::string_view head;
  // Our own field for the client, with its line end: "Connection: close\r\n"; "": none is needed.
  std::string_view connection = {};
  // Added to a final answer that has none (RFC 9110 6.6.1); the bare value.
  std::string_view date = {};
  // The client knows no chunks: the caller takes them off.
  bool drop_coding = false;
};

struct GatewayAnswerResult {
  enum class Kind : uint8_t {
    kAsItIs,   // nothing had to change; out was not touched
    kWritten,  // out holds the head for the client (what was there is replaced)
    kBad       // 502; reason says why
  };
  Kind kind = Kind::kAsItIs;
  // The Connection fields named others: trailers with these names must not go on (RFC 9110 7.6.1).
  bool names_fields = false;
  std::string_view reason = {};
};

[[nodiscard]] GatewayAnswerResult write_gateway_answer(const GatewayAnswer& answer,
                                                       std::string& out);

}  // namespace m2
