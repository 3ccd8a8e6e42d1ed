#include "proto/websocket/message_reader.h"

#include <algorithm>
#include <cstring>

namespace m2 {
namespace {

constexpr uint8_t kRsv1 = 4;

}  // namespace

MessageReader::Event MessageReader::next(std::string_view& bytes, std::string& scratch) {
  payload_ = {};
  if (!in_message_ && !data_.empty()) release();
  while (true) {
    if (!in_frame_) {
      const Event event = begin_frame(bytes);
      if (event == Event::kFailed || !in_frame_) return event;
    }
    const Event event = take_payload(bytes, scratch);
    // The end of a fragment is no event, and an empty one needs no byte.
    if (event != Event::kNone || in_frame_) return event;
  }
}

// kNone and in_frame_: a head is complete and allowed.
MessageReader::Event MessageReader::begin_frame(std::string_view& bytes) {
  size_t size = 0;
  if (begun_head_count_ == 0) {
    size = read_frame_head(bytes, head_);
    bytes.remove_prefix(size);
  }
  while (size == 0 && !bytes.empty()) {
    begun_head_[begun_head_count_++] = bytes.front();
    bytes.remove_prefix(1);
    size = read_frame_head({begun_head_.data(), begun_head_count_}, head_);
  }
  if (size == 0) return Event::kNone;
  begun_head_count_ = 0;
  taken_ = 0;
  in_frame_ = true;
  return check_head();
}

MessageReader::Event MessageReader::check_head() {
  if (!head_.masked) return fail(CloseCode::kProtocolError, "a frame without a mask");
  if (!head_.minimal) return fail(CloseCode::kProtocolError, "a length not in its shortest form");
  if (head_.length >> 63 != 0) return fail(CloseCode::kProtocolError, "a length above 2^63");
  switch (static_cast<Opcode>(head_.opcode)) {
    case Opcode::kContinuation:
    case Opcode::kText:
    case Opcode::kBinary:
      return check_data_head();
    case Opcode::kClose:
    case Opcode::kPing:
    case Opcode::kPong:
      break;
    default:
      return fail(CloseCode::kProtocolError, "a reserved opcode");
  }
  if (head_.rsv != 0) return fail(CloseCode::kProtocolError, "a reserved bit is set");
  if (!head_.fin) return fail(CloseCode::kProtocolError, "a fragmented control frame");
  if (head_.length > kControlBytesMax) {
    return fail(CloseCode::kProtocolError, "a control frame of more than 125 bytes");
  }
  control_.clear();
  return Event::kNone;
}

MessageReader::Event MessageReader::check_data_head() {
  const bool first = head_.opcode != static_cast<uint8_t>(Opcode::kContinuation);
  if ((head_.rsv & ~(first && deflate_ ? kRsv1 : 0)) != 0) {
    return fail(CloseCode::kProtocolError, "a reserved bit is set");
  }
  if (first && in_message_) {
    return fail(CloseCode::kProtocolError, "a new message within a fragmented one");
  }
  if (!first && !in_message_) {
    return fail(CloseCode::kProtocolError, "a continuation of nothing");
  }
  if (head_.length > message_max_ || data_.size() > message_max_ - head_.length) {
    return fail(CloseCode::kTooBig, "a message above websocket.message_bytes");
  }
  if (first) {
    in_message_ = true;
    message_opcode_ = head_.opcode;
    compressed_ = head_.rsv != 0;
    utf8_.reset();
  }
  return Event::kNone;
}

MessageReader::Event MessageReader::take_payload(std::string_view& bytes, std::string& scratch) {
  const bool control = is_control(head_.opcode);
  const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes.size(), head_.length - taken_));
  const bool ends = taken_ + count == head_.length;
  // All of the message is here: it need not be kept.
  const bool at_once = !control && ends && taken_ == 0 && head_.fin && data_.empty();
  std::string& to = control ? control_ : at_once ? scratch : data_;
  if (at_once) {
    scratch.clear();
  } else if (!control && data_.empty() && !ends) {
    data_.reserve(static_cast<size_t>(std::min<uint64_t>(head_.length, 4 * bytes.size() + 64)));
  }
  const size_t before = to.size();
  to.resize(before + count);
  unmask(to.data() + before, bytes.data(), count, head_.mask, taken_);
  bytes.remove_prefix(count);
  taken_ += count;
  if (!control && !check_text({to.data() + before, count})) {
    return fail(CloseCode::kBadData, "a text that is not UTF-8");
  }
  if (!ends) return Event::kNone;
  in_frame_ = false;
  if (control) return finish_control();
  if (!head_.fin) return Event::kNone;
  return finish_message(to);
}

bool MessageReader::check_text(std::string_view piece) {
  const bool text = message_opcode_ == static_cast<uint8_t>(Opcode::kText);
  return !text || compressed_ || utf8_.feed(piece);
}

MessageReader::Event MessageReader::finish_message(std::string_view payload) {
  if (!utf8_.complete()) return fail(CloseCode::kBadData, "a text that ends within a character");
  in_message_ = false;
  event_opcode_ = message_opcode_;
  payload_ = payload;
  return Event::kMessage;
}

MessageReader::Event MessageReader::finish_control() {
  event_opcode_ = head_.opcode;
  payload_ = control_;
  if (head_.opcode != static_cast<uint8_t>(Opcode::kClose)) return Event::kControl;
  received_code_ = CloseCode::kNoCode;
  if (control_.empty()) return Event::kControl;
  if (control_.size() == 1) return fail(CloseCode::kProtocolError, "half a close code");
  const uint32_t code = static_cast<uint32_t>(static_cast<uint8_t>(control_[0])) << 8 |
                        static_cast<uint8_t>(control_[1]);
  if (!may_be_sent(code)) return fail(CloseCode::kProtocolError, "a close code nobody may send");
  received_code_ = static_cast<CloseCode>(code);
  if (!is_utf8(received_reason())) {
    return fail(CloseCode::kBadData, "a reason for closing that is not UTF-8");
  }
  return Event::kControl;
}

std::string_view MessageReader::received_reason() const {
  return control_.size() < 2 ? std::string_view() : std::string_view(control_).substr(2);
}

void MessageReader::release() {
  payload_ = {};
  if (!in_message_ && data_.capacity() > sizeof data_) std::string().swap(data_);
  if (!in_message_) data_.clear();
  if (!in_frame_ && control_.capacity() > sizeof control_) std::string().swap(control_);
}

MessageReader::Event MessageReader::fail(CloseCode code, std::string_view reason) {
  close_code_ = code;
  reason_ = reason;
  std::string().swap(data_);
  return Event::kFailed;
}

}  // namespace m2
