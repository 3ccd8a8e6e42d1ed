// Takes the framing off a request body: Content-Length or chunked (RFC 9112, 6 and 7). Incremental,
// zero-copy, bounded: sizes are checked for overflow, chunk extensions and trailers have limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/chunk_reader.h"
#include "proto/http/request_head.h"

namespace m2 {

class BodyReader {
 public:
  // The body of a request with this head; kNone and a length of 0 are done() at once.
  void start(BodyFraming framing, uint64_t content_length);

  using Step = BodyStep;
  // Call again with the rest while used > 0 and neither done() nor failed(). Bytes behind the body
  // are never used.
  Step read(std::string_view input);

  bool done() const { return chunked() ? chunks_.done() : remaining_ == 0; }
  bool failed() const { return chunked() && chunks_.failed(); }
  std::string_view reason() const { return chunks_.reason(); }  // after failed()
  // Bytes of input used, framing and all; after failed() the offset of the bad one.
  uint64_t used() const { return used_; }
  // Bytes of body still to come by Content-Length; 0 when chunked.
  uint64_t remaining() const { return remaining_; }
  bool chunked() const { return framing_ == BodyFraming::kChunked; }

 private:
  BodyFraming framing_ = BodyFraming::kNone;
  uint64_t remaining_ = 0;
  uint64_t used_ = 0;
  ChunkReader chunks_;
};

}  // namespace m2
