// Takes chunked coding apart (RFC 9112 7.1): incremental, zero-copy, strict, bounded. Used by
// BodyReader for requests and by ResponseReader for answers. The whole length is the caller's to
// limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/chunk_extensions.h"

namespace m2 {

// What one look at some input gave.
struct BodyStep {
  size_t used = 0;        // bytes of input consumed (framing and data)
  std::string_view data;  // a piece of the body within the input; may be empty
  // Behind the last chunk: a piece of the trailer lines and their blank line, as received.
  std::string_view trailers = {};
};

class ChunkReader {
 public:
  static constexpr uint32_t kSizeDigitsMax = 16;
  static constexpr uint32_t kExtensionBytesMax = 256;  // of one chunk
  static constexpr uint32_t kTrailerBytesMax = 4096;   // of all trailer lines together

  void start() { *this = ChunkReader(); }
  // Up to the end of the input or of one piece of data; call again with the rest while used > 0
  // and neither done() nor failed(). After a failure the input from `used` on is what was bad.
  BodyStep read(std::string_view input);

  // The next bytes of the chunk that was begun go another way. False: they are not all its own.
  bool pass_over(uint64_t bytes);

  bool done() const { return state_ == State::kDone; }
  bool failed() const { return state_ == State::kFailed; }
  std::string_view reason() const { return reason_; }  // after failed()

 private:
  enum class State : uint8_t {
    kSize,        // hexadecimal digits
    kExtensions,  // what follows them in the line
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // of a trailer line, or of the last, empty one
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
    kDone,
    kFailed
  };
  State state_ = State::kSize;
  ChunkExtensions extensions_;
  uint32_t counted_ = 0;    // digits, then bytes of extensions or trailers
  uint64_t remaining_ = 0;  // of the chunk's data
  std::string_view reason_;

  void take(char c);
  void take_size(char c);
  void take_extensions(char c);
  void take_trailer(char c);
  bool in_trailers() const { return state_ >= State::kTrailerStart && state_ <= State::kEndLf; }
  void expect(char c, char wanted, State next, std::string_view otherwise);
  void fail(std::string_view reason);
};

}  // namespace m2
