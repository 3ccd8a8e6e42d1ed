// Writes what a handler receives: "UUID ID PATH SIZE:HEADERS,SIZE:BODY," (manual 5.3,
// docs/handler-protocol.md), headers as JSON or as a tnetstring.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/config/model.h"
#include "proto/handler/connection_id.h"
#include "proto/http/request_head.h"
#include "proto/http/request_id.h"

namespace m2 {

// A header of the server's own, beside those of every request: {"FLAGS", "0x81"}. The name needs no
// escape.
struct ExtraField {
  std::string_view name;
  std::string_view value;
};

struct HandlerRequest {
  std::string_view send_ident;
  ConnectionId id = 0;
  const char* base = nullptr;  // the bytes that head points into
  const RequestHead* head = nullptr;
  std::string_view pattern;  // the route as configured
  std::string_view remote_addr;
  std::string_view scheme = "http";
  std::string_view body = {};
  bool keep_client_xff = false;  // no_clobber_xff
  RequestId request_id = 0;      // 0: none is told
  std::string_view method;       // instead of the client's; "": the client's
  std::span<const ExtraField> extra;
};

// Where the parts of a written request are, for who writes it again with another value and body
// (repeated_headers.h): offsets into out.
struct RequestPlaces {
  size_t block_size_at = 0;  // the digits of the size of the header block
  size_t block_at = 0;
  size_t value_at = 0;  // the last extra field's value as it is encoded; 0: there is none
  size_t value_end = 0;
  size_t block_end = 0;  // here stands the tag of the block
};

// Replaces the contents of out (its capacity is kept). Header names are lower-cased, several fields
// of a name become an array in order of arrival, values are valid JSON in valid UTF-8 whatever a
// client sent; names that only the server may set (x-mongrel2-*) are left out.
RequestPlaces write_request(const HandlerRequest& request, HeaderFormat format, std::string& out);

// A message of an exchange whose headers were told before: these keys alone, and a piece of its
// body (upload.stream). At least one key; values need no escape either. Writes up to where the body
// begins; behind that the caller puts its bytes and a comma.
struct HandlerPiece {
  std::string_view send_ident;
  ConnectionId id = 0;
  std::string_view path;
  std::span<const ExtraField> keys;
  size_t body_bytes = 0;
};
void write_piece_head(const HandlerPiece& piece, HeaderFormat format, std::string& out);

// "UUID ID @* 17:{"METHOD":"JSON"},21:{"type":"disconnect"},"
void write_disconnect(std::string_view send_ident, ConnectionId id, HeaderFormat format,
                      std::string& out);

// "UUID ID @* 41:{"METHOD":"JSON","DOWNLOAD_CREDITS":"43"},18:{"type":"credits"},": so many bytes
// have left for the client (1.10, setting download.flow_control).
void write_credits(std::string_view send_ident, ConnectionId id, uint64_t bytes,
                   HeaderFormat format, std::string& out);

}  // namespace m2
