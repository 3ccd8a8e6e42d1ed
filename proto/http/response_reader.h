// Follows an HTTP/1.x answer byte by byte without changing it: the answer of a proxied backend, or
// what a handler sends. Knows the status, where the head ends, how the body is framed and when the
// answer is complete. Incremental: keeps its own copy only of a head that arrives in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http/chunk_reader.h"

namespace m2 {

// Interim answers before one final answer; a sender of more is not trusted to end.
inline constexpr unsigned kInterimAnswersMax = 16;

// Lenient where a browser is (lines may end in a bare LF, the reason phrase may be missing, lines
// that are no fields are passed over), strict in everything that decides where the answer ends.
class ResponseReader {
 public:
  // head_request: the answer to HEAD has no body whatever its fields say. head_bytes_max: of one
  // head.
  void start(bool head_request, uint32_t head_bytes_max);

  enum class State : uint8_t {
    kHead,        // head not complete yet
    kBody,        // within the body
    kComplete,    // the answer has ended; feed() takes no byte beyond it
    kUntilClose,  // body ends when the sender closes; feed() takes everything
    kSwitched,    // 101: what follows is another protocol; feed() takes everything
    kBroken       // not HTTP, or framing that cannot be trusted; reason() says why
  };
  // Takes as many bytes as belong to this answer (interim 1xx answers included) and returns how
  // many.
  size_t feed(std::string_view bytes);
  // The same in steps. feed_head: while kHead, up to the end of one head, which interim() or head()
  // then is. feed_body: after it, as much of the body; data: where its content goes without the
  // framing of chunks, if wanted.
  size_t feed_head(std::string_view bytes);
  size_t feed_body(std::string_view bytes, std::string* data = nullptr);
  // Of the caller of the steps, once it has what it needs of head(): the copy goes back.
  void drop_head();
  // Bytes of the body that take another way than feed(); of a chunked one, all of the chunk that
  // was begun. False: so many do not belong to the answer here; nothing has changed.
  bool pass_over(uint64_t bytes);
  // The sender has closed. True: the answer is complete by that. False: it is cut off, kBroken.
  bool end_of_input();

  State state() const { return state_; }
  int status() const { return status_; }  // of the final answer; 0 before its head is complete
  bool head_complete() const { return status_ != 0; }
  // Valid once the final head is complete:
  bool keep_alive() const { return keep_alive_; }  // the sender allows another request here
  bool has_length() const { return has_length_; }
  uint64_t content_length() const { return content_length_; }
  uint64_t body_bytes() const { return body_bytes_; }  // without chunk framing, so far
  // The complete final head with its blank line, until the next feed(); it is in the bytes that
  // were fed, or in a copy if it came in pieces. Interim answers before it are not part of it.
  std::string_view head() const { return head_; }
  // The complete head of the interim answer that feed_head() just took, likewise; "": none.
  std::string_view interim() const { return interim_; }
  bool chunked() const { return chunked_; }
  // Offset within the last feed_body() of what stands behind the last chunk's size line: trailers
  // and the blank line. npos: nothing of it was there.
  size_t trailers_at() const { return trailers_at_; }
  std::string_view reason() const { return reason_; }

 private:
  // What the fields of one head say about framing, until all of them are known.
  struct Framing;

  State state_ = State::kHead;
  bool head_request_ = false;
  bool keep_alive_ = false;
  bool has_length_ = false;
  bool chunked_ = false;
  uint8_t interim_count_ = 0;
  uint16_t status_ = 0;
  uint32_t head_bytes_max_ = 0;
  uint64_t content_length_ = 0;
  uint64_t body_bytes_ = 0;
  std::string partial_;  // a head in pieces
  std::string_view head_;
  std::string_view interim_;
  size_t trailers_at_ = std::string_view::npos;
  std::string_view reason_;
  ChunkReader chunks_;

  size_t feed_chunked(std::string_view bytes, std::string* data);
  size_t find_head_end(std::string_view bytes) const;
  void take_head(std::string_view head);
  bool take_field(std::string_view line, Framing& framing);
  bool take_coding(std::string_view value, Framing& framing);
  void take_framing(const Framing& framing);
  bool fail(std::string_view reason);
};

}  // namespace m2
