// An incremental parser of HTTP/1.x request heads (RFC 9112). Strict, zero-copy: it yields offsets into
// the caller's bytes, looks at each byte about once however they arrive, and says which rule a bad
// request broke and where. Pure: no socket, no clock, no allocation but for RequestHead::fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/request_head.h"

namespace m2 {

struct ParserLimits {
  uint32_t head_bytes = 4096;   // limits.buffer_size: request line and header fields together
  uint32_t header_count = 1280; // limits.header_count
  uint32_t path_bytes = 0;      // limits.url_path; 0: only head_bytes limits it
  bool relaxed = false;         // request.relaxed: { } ^ are allowed in the target
};

enum class ParseState : uint8_t { kIncomplete, kComplete, kRefused };

class RequestParser {
 public:
  explicit RequestParser(const ParserLimits& limits) : limits_(limits) {}

  // bytes: everything received of this head so far, from its first byte; each call passes the
  // earlier bytes again (at any address) with more behind them. kComplete: head() is filled,
  // head_bytes() of them are used up, a body or the next request may follow.
  ParseState parse(std::string_view bytes, RequestHead& head);
  void reset();

  size_t head_bytes() const { return position_; }

  // After kRefused: the answer (400, 414, 431, 501, 505), the rule in words, the byte where.
  int status() const { return status_; }
  std::string_view reason() const { return reason_; }
  size_t error_offset() const { return position_; }

 private:
  const ParserLimits& limits_;
  size_t position_ = 0;      // start of the first line not yet taken
  size_t searched_ = 0;      // up to here there is no end of that line
  bool has_request_line_ = false;
  int status_ = 0;
  std::string_view reason_;
};

}  // namespace m2
