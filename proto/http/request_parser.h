// An incremental parser of HTTP/1.x request heads (RFC 9112). Strict, zero-copy: it yields offsets
// into the caller's bytes, looks at each byte about once however they arrive, and says which rule a
// bad request broke and where. Pure: no socket, no clock, no allocation but for
// RequestHead::fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/request_head.h"

namespace m2 {

struct ParserLimits {
  uint32_t head_bytes = 16384;   // limits.buffer_size: request line and header fields together
  uint32_t header_count = 1280;  // limits.header_count
  uint32_t path_bytes = 0;       // limits.url_path; 0: only head_bytes limits it
  bool relaxed = false;          // request.relaxed: { } are allowed in the path
};

enum class ParseState : uint8_t { kIncomplete, kComplete, kRefused };

class RequestParser {
 public:
  explicit RequestParser(const ParserLimits& limits) : limits_(limits) {}

  // bytes: everything received of this head so far, from its first byte; each call passes the
  // earlier bytes again (at any address) with more behind them. kComplete: head is filled,
  // head_bytes() of them are used up, a body or the next request may follow; reset() comes before
  // the next parse(). The result does not depend on how the bytes were cut. With head_bytes of the
  // limits in `bytes` it is never kIncomplete.
  ParseState parse(std::string_view bytes, RequestHead& head);
  void reset() { *this = RequestParser(limits_); }
  // The next request is read by other limits (a new configuration).
  void reset(const ParserLimits& limits) { *this = RequestParser(limits); }

  size_t head_bytes() const { return position_; }

  // After kRefused: the answer (400, 414, 431, 501, 505), the rule in words, the byte where.
  int status() const { return status_; }
  std::string_view reason() const { return reason_; }
  size_t error_offset() const { return position_; }

 private:
  enum class Stage : uint8_t { kRequestLine, kFields, kDone };
  // What has been seen beside what the head says.
  enum Seen : uint8_t {
    kHostField = 1,
    kLengthField = 2,
    kChunkedCoding = 4,
    kUpgradeField = 8,
    kCloseOption = 16,
    kKeepAliveOption = 32,
    kUpgradeOption = 64,
    kOtherCoding = 128
  };

  ParserLimits limits_;
  size_t position_ = 0;  // start of the first line not yet taken
  size_t searched_ = 0;  // up to here there is no end of that line
  std::string_view reason_;
  uint32_t other_coding_ = 0;  // where the first one stands
  uint16_t status_ = 0;
  Stage stage_ = Stage::kRequestLine;
  uint8_t blank_lines_ = 0;  // before the request line
  uint8_t seen_ = 0;

  bool refuse(int status, std::string_view reason, size_t offset);
  bool sees(Seen what) const { return (seen_ & what) != 0; }
  // Each takes one piece of the line from position_ to line_end (where its CR stands) into head;
  // false: refused.
  bool take_line(const char* base, size_t line_end, RequestHead& head);
  bool take_request_line(const char* base, size_t line_end, RequestHead& head);
  bool take_version(const char* base, size_t line_end, RequestHead& head);
  bool take_method(const char* base, size_t end, RequestHead& head);
  bool take_target(const char* base, RequestHead& head);
  bool take_field(const char* base, size_t line_end, RequestHead& head);
  bool refuse_name(const char* base, size_t at, size_t line_end);
  // Fields that this parser itself has to understand.
  bool take_meaning(const char* base, const HeaderField& field, RequestHead& head);
  bool take_host(const char* base, Slice value, RequestHead& head);
  bool take_content_length(const char* base, Slice value, RequestHead& head);
  bool take_transfer_encoding(const char* base, Slice value, RequestHead& head);
  void take_connection(std::string_view value);
  bool finish(RequestHead& head);
};

}  // namespace m2
