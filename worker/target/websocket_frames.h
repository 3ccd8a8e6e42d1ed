// The WebSocket contract of Mongrel2 1.x: the handler sends the 101, sees frames and writes frames
// (docs/websockets.md). The server follows both directions and changes nothing.
#pragma once

#include "proto/websocket/frame_follower.h"
#include "worker/target/handler_responder.h"
#include "worker/target/websocket_session.h"

namespace m2 {

// Waits for the handler's 101. Any other answer is HTTP as ever.
class WebSocketOpening final : public HandlerResponder {
 public:
  static void begin(Exchange& exchange, const std::shared_ptr<HandlerTarget>& target);
  bool handler_reply(std::string_view body, HandlerMessage& message) override;

 private:
  explicit WebSocketOpening(RepeatedHeaders headers) : headers_(std::move(headers)) {}
  void switched() override;
  void recycle() override;

  RepeatedHeaders headers_;
  std::string_view body_;  // of the message that is being passed on
};

class WebSocketFrames final : public WebSocketSession {
 public:
  // sent: what the handler has written already.
  WebSocketFrames(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                  RepeatedHeaders headers, const FrameFollower& sent);

  void pull() override {}
  bool handler_reply(std::string_view body, HandlerMessage& message) override;

 private:
  Then take(MessageReader::Event event) override;
  bool may_write_frame() const override { return sent_.at_frame_end() && !sent_.closed(); }
  double watch_silence(double now) override;

  FrameFollower sent_;
  double client_closed_at_ = 0;  // its close frame has come
};

}  // namespace m2
