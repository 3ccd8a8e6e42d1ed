#include "worker/target/websocket_shared.h"

#include "worker/link/handler_link.h"

namespace m2 {
namespace {

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kDeflated = 0x40;   // RSV1
constexpr size_t kDeflateLeast = 64;  // less does not become less

}  // namespace

std::shared_ptr<const std::string> WebSocketShared::frame(Opcode opcode, std::string_view payload,
                                                          uint8_t deflate_bits,
                                                          HandlerMessage& message) {
  if (frame_of_ != nullptr && frame_at_ == payload.data() && frame_size_ == payload.size() &&
      frame_opcode_ == opcode && frame_bits_ == deflate_bits) {
    return frame_;
  }
  if (frame_ == nullptr || frame_.use_count() != 1) frame_ = std::make_shared<std::string>();
  frame_of_ = message.hold();
  frame_at_ = payload.data();
  frame_size_ = payload.size();
  frame_opcode_ = opcode;
  frame_bits_ = deflate_bits;
  uint8_t first = kFin | static_cast<uint8_t>(opcode);
  std::string deflated;
  if (deflate_bits != 0 && payload.size() >= kDeflateLeast) {
    deflate.deflate(payload, deflate_bits, deflated);
    if (deflated.size() < payload.size()) {
      payload = deflated;
      first |= kDeflated;
    }
  }
  char head[kFrameHeadMax];
  const size_t head_size = write_frame_head(first, payload.size(), head);
  frame_->clear();
  frame_->reserve(head_size + payload.size());
  frame_->append(head, head_size).append(payload);
  if (frame_->size() <= kKeptBytes) return frame_;
  frame_of_.reset();
  return std::move(frame_);
}

}  // namespace m2
