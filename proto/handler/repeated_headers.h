// The headers of a request in messages that repeat them: each message of a WebSocket has all of
// those of its handshake, and one value of its own. Written once for each connection, joined with
// the rest of a message as pieces, so that a message costs one copy of its bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/handler/request_writer.h"

namespace m2 {

class RepeatedHeaders {
 public:
  RepeatedHeaders() = default;
  // The last of request.extra is the one whose value changes.
  RepeatedHeaders(const HandlerRequest& request, HeaderFormat format);

  // One message in pieces, in their order; they point here, to headers and to body. The value: a
  // short word that needs no escape.
  class Message {
   public:
    Message(const RepeatedHeaders& headers, std::string_view value, std::string_view body);
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;
    const std::array<std::string_view, 8>& pieces() const { return pieces_; }

   private:
    std::array<std::string_view, 8> pieces_;
    std::array<char, 24> block_size_;
    std::array<char, 24> value_;
    std::array<char, 24> body_size_;
  };

 private:
  std::string bytes_;  // "IDENT ID PATH ", then the block without the value
  uint32_t block_at_ = 0;
  uint32_t value_at_ = 0;
  HeaderFormat format_ = HeaderFormat::kJson;
};

}  // namespace m2
