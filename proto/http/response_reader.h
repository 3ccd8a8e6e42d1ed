// Follows an HTTP/1.x answer byte by byte without changing it: the answer of a proxied backend, or
// what a handler sends. Knows the status, where the head ends, how the body is framed and when the
// answer is complete. Incremental: keeps its own copy only of a head that arrives in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

class ResponseReader {
 public:
  // head_request: the answer to HEAD has no body whatever its fields say.
  void start(bool head_request, uint32_t head_bytes_max);

  enum class State : uint8_t {
    kHead,      // head not complete yet
    kBody,      // within the body
    kComplete,  // the answer has ended; bytes() beyond it were not consumed
    kUntilClose,// body ends when the sender closes
    kSwitched,  // 101: what follows is another protocol
    kBroken     // not HTTP, or framing that cannot be trusted; reason() says why
  };
  // Takes as many bytes as belong to this answer (interim 1xx answers included) and returns how many.
  size_t feed(std::string_view bytes);
  // The sender has closed. True: the answer is complete by that.
  bool end_of_input();

  State state() const { return state_; }
  int status() const { return status_; }            // of the final answer; 0 before its head is complete
  bool head_complete() const { return status_ != 0; }
  // Valid once the final head is complete:
  bool keep_alive() const { return keep_alive_; }    // the sender allows another request on this connection
  bool has_length() const { return has_length_; }
  uint64_t content_length() const { return content_length_; }
  uint64_t body_bytes() const { return body_bytes_; }  // without chunk framing, so far
  // The complete final head with its blank line, only within the feed() call that completed it and
  // until the next one. Interim answers before it are not part of it.
  std::string_view head() const { return head_; }
  std::string_view reason() const { return reason_; }

 private:
  State state_ = State::kHead;
  bool head_request_ = false;
  bool keep_alive_ = true;
  bool has_length_ = false;
  bool chunked_ = false;
  int status_ = 0;
  uint32_t head_bytes_max_ = 0;
  uint64_t content_length_ = 0;
  uint64_t body_bytes_ = 0;
  std::string partial_;  // a head in pieces
  std::string_view head_;
  std::string_view reason_;
  uint64_t remaining_ = 0;
  uint8_t chunk_state_ = 0;
  uint32_t counted_ = 0;
  size_t feed_head(std::string_view bytes);
  size_t feed_chunked(std::string_view bytes);
  void parse_head(std::string_view head);
};

}  // namespace m2
