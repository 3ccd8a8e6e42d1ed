// What all WebSockets of one handler pair in one worker share, so that none of them holds memory
// while it is idle: room to unmask, to inflate, to build frames, and the states of zlib.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proto/websocket/deflate.h"
#include "proto/websocket/frame.h"
#include "worker/link/drop_counter.h"

namespace m2 {

class HandlerMessage;

struct WebSocketShared {
  std::string scratch;   // MessageReader::next()
  std::string inflated;  // the message that is being delivered
  DeflateStreams deflate;
  DropCounter bad_texts;  // texts of handlers that are not UTF-8

  // The frame for a message of a handler. It is built once for all clients that the message names,
  // as long as they agree on the compression. deflate_bits 0: none.
  std::shared_ptr<const std::string> frame(Opcode opcode, std::string_view payload,
                                           uint8_t deflate_bits, HandlerMessage& message);

 private:
  // Beyond this a frame is built for each client: it should not stay when it has left.
  static constexpr size_t kKeptBytes = 1 << 20;
  std::shared_ptr<std::string> frame_;
  std::shared_ptr<const void> frame_of_;  // keeps the message where it is: no other has its address
  const char* frame_at_ = nullptr;
  size_t frame_size_ = 0;
  Opcode frame_opcode_ = Opcode::kText;
  uint8_t frame_bits_ = 0;
};

}  // namespace m2
