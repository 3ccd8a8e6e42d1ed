#include "proto/websocket/frame_follower.h"

#include <algorithm>
#include <cstring>

namespace m2 {

void FrameFollower::feed(std::string_view bytes) {
  while (!lost_ && !bytes.empty()) {
    if (left_ != 0) {
      const uint64_t count = std::min<uint64_t>(left_, bytes.size());
      left_ -= count;
      bytes.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    FrameHead head;
    size_t size = 0;
    if (begun_count_ == 0) {
      size = read_frame_head(bytes, head);
      bytes.remove_prefix(size);
    }
    while (size == 0 && !bytes.empty()) {
      begun_[begun_count_++] = bytes.front();
      bytes.remove_prefix(1);
      size = read_frame_head({begun_.data(), begun_count_}, head);
    }
    if (size == 0) return;
    begun_count_ = 0;
    if (head.masked || head.length >> 63 != 0) return lose();  // servers do not mask: no frame
    left_ = head.length;
    if (!is_control(head.opcode)) in_message_ = !head.fin;
    if (head.opcode == static_cast<uint8_t>(Opcode::kClose)) closed_ = true;
  }
}

}  // namespace m2
