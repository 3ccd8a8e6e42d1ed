// What a client sends, from frames to whole messages (RFC 6455, 5 and 8.1): masks, fragments,
// control frames between them, limits and every rule that a client may break. A pure state machine;
// it holds memory only while a message is incomplete. Used by both WebSocket contracts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/utf8.h"
#include "proto/websocket/frame.h"

namespace m2 {

class MessageReader {
 public:
  enum class Event : uint8_t {
    kNone,     // all bytes are used, more are needed
    kMessage,  // a whole text or binary message: opcode(), payload(), compressed()
    kControl,  // a close, ping or pong frame, perhaps between the fragments of a message
    kFailed    // the client broke a rule: close_code() and reason(); call next() no more
  };

  // The longest message; what is longer fails before it is read. Text is checked as it comes.
  void set_message_max(uint64_t bytes) { message_max_ = bytes; }
  // permessage-deflate was agreed on: the first frame of a message may have RSV1.
  void set_deflate(bool deflate) { deflate_ = deflate; }

  // Takes from the front of bytes up to the next event. scratch: room that many readers may share,
  // where messages that arrive in one piece are unmasked.
  Event next(std::string_view& bytes, std::string& scratch);

  // Of the last kMessage or kControl. The payload is valid until release() or the next next(), and
  // while scratch is not touched.
  uint8_t opcode() const { return event_opcode_; }
  std::string_view payload() const { return payload_; }
  // The message is deflated, and a text has not been checked.
  bool compressed() const { return compressed_; }
  // Of a close frame: kNoCode when it had none. The reason is what stands behind the code.
  CloseCode received_code() const { return received_code_; }
  std::string_view received_reason() const;
  // Gives the memory of the last message back.
  void release();

  CloseCode close_code() const { return close_code_; }
  std::string_view reason() const { return reason_; }

 private:
  Event begin_frame(std::string_view& bytes);
  Event check_head();
  Event check_data_head();
  Event take_payload(std::string_view& bytes, std::string& scratch);
  bool check_text(std::string_view piece);
  Event finish_message(std::string_view payload);
  Event finish_control();
  Event fail(CloseCode code, std::string_view reason);

  uint64_t message_max_ = 0;
  FrameHead head_;
  uint64_t taken_ = 0;  // of the payload of this frame
  std::array<char, kFrameHeadMax> begun_head_;
  uint8_t begun_head_count_ = 0;
  bool in_frame_ = false;
  bool in_message_ = false;  // a data message has begun and not ended
  bool deflate_ = false;
  bool compressed_ = false;
  uint8_t message_opcode_ = 0;
  uint8_t event_opcode_ = 0;
  CloseCode received_code_ = CloseCode::kNoCode;
  CloseCode close_code_ = CloseCode::kNormal;
  Utf8Check utf8_;
  std::string data_;     // of an incomplete message, unmasked
  std::string control_;  // of a control frame
  std::string_view payload_;
  std::string_view reason_;
};

}  // namespace m2
