// Chunked coding as a state machine: framing byte by byte, data in one piece (RFC 9112 7.1). Line
// ends are CRLF and nothing else: here a lax reader is how requests are smuggled.
#include "proto/http/chunk_reader.h"

#include <algorithm>

#include "proto/http/syntax.h"

namespace m2 {

BodyStep ChunkReader::read(std::string_view input) {
  size_t at = 0;
  size_t trailers_at = in_trailers() ? 0 : std::string_view::npos;
  while (at < input.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const size_t length = std::min<uint64_t>(remaining_, input.size() - at);
      remaining_ -= length;
      if (remaining_ == 0) state_ = State::kDataCr;
      return {at + length, input.substr(at, length)};
    }
    take(input[at]);
    if (state_ == State::kFailed) break;
    ++at;
    if (state_ == State::kTrailerStart && trailers_at == std::string_view::npos) trailers_at = at;
  }
  if (trailers_at == std::string_view::npos) return {at, {}};
  return {at, {}, input.substr(trailers_at, at - trailers_at)};
}

bool ChunkReader::pass_over(uint64_t bytes) {
  if (state_ != State::kData || bytes > remaining_) return false;
  remaining_ -= bytes;
  if (remaining_ == 0) state_ = State::kDataCr;
  return true;
}

void ChunkReader::take(char c) {
  switch (state_) {
    case State::kSize:
      return take_size(c);
    case State::kExtensions:
      return take_extensions(c);
    case State::kSizeLf:
      counted_ = 0;
      return expect(c, '\n', remaining_ > 0 ? State::kData : State::kTrailerStart,
                    "chunk size line ends in CR without LF (RFC 9112 7.1)");
    case State::kDataCr:
      return expect(c, '\r', State::kDataLf, "chunk longer than its size (RFC 9112 7.1)");
    case State::kDataLf:
      return expect(c, '\n', State::kSize, "chunk ends in CR without LF (RFC 9112 7.1)");
    case State::kTrailerStart:
    case State::kTrailerName:
    case State::kTrailerValue:
      return take_trailer(c);
    case State::kTrailerLf:
      return expect(c, '\n', State::kTrailerStart, "trailer ends in CR without LF (RFC 9112 7.1)");
    case State::kEndLf:
      return expect(c, '\n', State::kDone, "last line ends in CR without LF (RFC 9112 7.1)");
    case State::kData:
    case State::kDone:
    case State::kFailed:
      return;  // read() passes no byte in these
  }
}

void ChunkReader::take_size(char c) {
  if (is(c, kHexChar)) {
    if (++counted_ > kSizeDigitsMax) return fail("chunk size of more than 16 digits");
    if (remaining_ >> 59 != 0) return fail("chunk size above 2^63 - 1");
    remaining_ = remaining_ << 4 | hex_value(c);
    return;
  }
  if (counted_ == 0) return fail("chunk size is not a hexadecimal number (RFC 9112 7.1)");
  counted_ = 0;
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';' || is_blank(c)) {
    state_ = State::kExtensions;
    extensions_ = {};
    take_extensions(c);
  } else {
    fail("chunk size is followed by neither CRLF nor ';' (RFC 9112 7.1)");
  }
}

void ChunkReader::take_extensions(char c) {
  if (c == '\r' && extensions_.may_end()) {
    state_ = State::kSizeLf;
    return;
  }
  if (++counted_ > kExtensionBytesMax) return fail("chunk extensions of more than 256 bytes");
  if (!extensions_.take(c)) fail(extensions_.reason());
}

void ChunkReader::take_trailer(char c) {
  if (state_ == State::kTrailerStart && c == '\r') {
    state_ = State::kEndLf;
    return;
  }
  if (++counted_ > kTrailerBytesMax) return fail("trailers of more than 4096 bytes");
  if (state_ == State::kTrailerValue) {
    if (c == '\r') {
      state_ = State::kTrailerLf;
    } else if (!is(c, kFieldChar)) {
      fail("control byte in a trailer (RFC 9112 7.1.2)");
    }
  } else if (is(c, kTokenChar)) {
    state_ = State::kTrailerName;
  } else if (state_ == State::kTrailerName && c == ':') {
    state_ = State::kTrailerValue;
  } else {
    fail("trailer line is not a field (RFC 9112 7.1.2)");
  }
}

void ChunkReader::expect(char c, char wanted, State next, std::string_view otherwise) {
  if (c != wanted) return fail(otherwise);
  state_ = next;
}

void ChunkReader::fail(std::string_view reason) {
  state_ = State::kFailed;
  reason_ = reason;
}

}  // namespace m2
