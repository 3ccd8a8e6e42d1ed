// Follows frames that a handler writes itself (the contract of Mongrel2 1.x), without changing
// them: the server may add a frame of its own only where one of the handler's has ended.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proto/websocket/frame.h"

namespace m2 {

class FrameFollower {
 public:
  void feed(std::string_view bytes);
  // It cannot be known any more where frames begin: somebody wrote what was not seen, or no frames.
  void lose() { lost_ = true; }

  // A frame of ours may be put here.
  bool at_frame_end() const { return !lost_ && left_ == 0 && begun_count_ == 0; }
  // Every message that was begun has ended too.
  bool at_message_end() const { return at_frame_end() && !in_message_; }
  // A close frame has passed: nothing may follow it.
  bool closed() const { return closed_; }

 private:
  uint64_t left_ = 0;  // of the payload of this frame
  std::array<char, kFrameHeadMax> begun_{};
  uint8_t begun_count_ = 0;
  bool in_message_ = false;
  bool closed_ = false;
  bool lost_ = false;
};

}  // namespace m2
