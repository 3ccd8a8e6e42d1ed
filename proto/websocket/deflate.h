// permessage-deflate (RFC 7692), always without context takeover on either side: no connection
// holds a zlib state, a few shared ones serve all. Negotiation, deflating, inflating within a
// bound. The only file that knows zlib. Used by the `messages` contract.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace m2 {

// What was agreed on with a client. window_bits 0: nothing, messages go as they are.
struct DeflateAgreement {
  uint8_t window_bits = 0;  // of what the server sends: 9 to 15
  std::string answer;       // the value of Sec-WebSocket-Extensions
};

// The first offer in the list that can be met. window_bits_max: the server's own bound.
DeflateAgreement agree_on_deflate(std::string_view offers, uint8_t window_bits_max);

class DeflateStreams {
 public:
  DeflateStreams();
  ~DeflateStreams();
  DeflateStreams(const DeflateStreams&) = delete;
  DeflateStreams& operator=(const DeflateStreams&) = delete;

  // Replaces out. window_bits: as agreed on.
  void deflate(std::string_view bytes, uint8_t window_bits, std::string& out);

  enum class Inflated : uint8_t { kOk, kBroken, kTooBig };
  // Replaces out; stops at bytes_max.
  Inflated inflate(std::string_view bytes, uint64_t bytes_max, std::string& out);

 private:
  struct Deflater;
  struct Inflater;
  std::array<std::unique_ptr<Deflater>, 7> deflaters_;  // by window bits, made when first needed
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace m2
