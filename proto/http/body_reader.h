// Takes the framing off a request body: Content-Length or chunked (RFC 9112, 6 and 7). Incremental,
// zero-copy, bounded: sizes are checked for overflow, chunk extensions and trailers have limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/request_head.h"

namespace m2 {

class BodyReader {
 public:
  void start(BodyFraming framing, uint64_t content_length);

  struct Step {
    size_t used = 0;        // bytes of input consumed (framing and data)
    std::string_view data;  // a piece of the body within the input; may be empty
  };
  // Call again with the rest while used > 0 and neither done() nor failed().
  Step read(std::string_view input);

  bool done() const { return state_ == State::kDone; }
  bool failed() const { return state_ == State::kFailed; }
  std::string_view reason() const { return reason_; }  // after failed()
  // Bytes of body still to come by Content-Length; 0 when chunked.
  uint64_t remaining() const { return chunked_ ? 0 : remaining_; }
  bool chunked() const { return chunked_; }

 private:
  enum class State : uint8_t {
    kData, kSizeStart, kSize, kExtension, kSizeLf, kDataCr, kDataLf, kTrailer, kTrailerLf, kEndLf, kDone, kFailed
  };
  State state_ = State::kDone;
  bool chunked_ = false;
  uint64_t remaining_ = 0;
  uint32_t counted_ = 0;  // bytes of extension or trailer so far, or of the current trailer line
  uint32_t line_ = 0;
  std::string_view reason_;
};

}  // namespace m2
