// The contract websocket='messages': the server speaks the WebSocket protocol, the handler sees
// and sends whole messages (docs/websockets.md).
#pragma once

#include "worker/target/websocket_session.h"

namespace m2 {

class WebSocketMessages final : public WebSocketSession {
 public:
  // Answers the handshake, or refuses it; tells the handler of the new client.
  static void begin(Exchange& exchange, const std::shared_ptr<HandlerTarget>& target);

  void pull() override;
  bool handler_reply(std::string_view body, HandlerMessage& message) override;
  bool websocket_order(const WebSocketOrder& order, HandlerMessage& message) override;

 private:
  WebSocketMessages(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                    RepeatedHeaders headers, uint8_t deflate_bits);
  Then take(MessageReader::Event event) override;
  bool may_write_frame() const override { return true; }
  double watch_silence(double now) override;

  Then take_message();
  Then take_close();
  void pong(std::string_view payload);
  bool send(Opcode opcode, std::string_view payload, HandlerMessage& message);

  const uint8_t deflate_bits_;             // 0: no compression was agreed on
  bool pong_queued_ = false;               // one that has not left yet
  std::unique_ptr<std::string> pong_due_;  // the latest ping behind it
  double pinged_at_ = 0;
};

}  // namespace m2
