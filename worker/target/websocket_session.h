// One client after its WebSocket handshake, as both contracts have it (docs/websockets.md): what it
// sends becomes messages for the handler, in order; limits, deadlines and the ways to end. What the
// contracts differ in is in websocket_frames.h and websocket_messages.h. Owns itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proto/handler/repeated_headers.h"
#include "proto/websocket/message_reader.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/link/room_waiter.h"
#include "worker/target/handler.h"
#include "worker/target/target.h"

namespace m2 {

class WebSocketSession : public Responder, private RoomWaiter {
 public:
  void body(std::string_view bytes, bool last) final;
  void refused(std::string_view why, int status) final;
  void woken() final;
  void keep_alive() final { spoke(); }
  bool generation_changed(const Generation& generation) final;
  HeldAs held_as() const final { return HeldAs::kWebSocket; }
  bool outlives_generation() const final { return row_stays_; }
  void draining() final;
  const void* pair() const final { return target_->pair(); }
  void let_go(std::string_view why) final;
  void stop() final;
  // Does what is due, and sees to it that this is done again in time. Call it once when the session
  // was made. May end it.
  void attend();

 protected:
  // Each of these may end the session, which deletes it.
  enum class Then : uint8_t { kGoOn, kWait, kEnded };

  // Becomes the responder and has the connection leave HTTP.
  WebSocketSession(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                   RepeatedHeaders headers);
  ~WebSocketSession() override = default;

  // A message or control frame of the client, in reader().
  virtual Then take(MessageReader::Event event) = 0;
  // A frame of ours may be written now, and it would be a frame to the client.
  virtual bool may_write_frame() const = 0;
  // Does what is due on an open WebSocket where nobody owes anybody anything. Returns in how many
  // seconds more may be due; 0: nothing ever; less: the session has ended.
  virtual double watch_silence(double now) = 0;

  // Tells the handler. value: of the one header that differs.
  Then deliver(std::string_view value, std::string_view payload);
  // Begins the closing handshake, and ends the session when the client answers or is late.
  Then close(CloseCode code, std::string_view reason);
  // Says why, without waiting for an answer, and ends: nothing more of the client is read.
  Then fail(CloseCode code, std::string_view reason);
  // What was sent leaves, then the connection is closed.
  Then finish();
  // It has not taken what it is owed, and the row says that it is closed for that; at once.
  void too_slow();
  // We have sent a close frame, and wait for the client's.
  bool closing() const { return closing_since_ != 0; }
  void spoke() { last_spoken_ = exchange_->client().now(); }

  Exchange& exchange() { return *exchange_; }
  HandlerTarget& target() { return *target_; }
  const WebSocketLimits& limits() const;
  MessageReader& reader() { return reader_; }
  double last_heard() const { return last_heard_; }
  ConnectionId id() const { return id_; }

 private:
  void room() override;
  Then consume(std::string_view bytes);
  Then pause(std::string_view rest);

  Exchange* exchange_;
  std::shared_ptr<HandlerTarget> target_;
  const ConnectionId id_;
  const RepeatedHeaders headers_;
  MessageReader reader_;
  std::string kept_;  // of a paused client: what was read already
  double last_heard_;
  double last_spoken_;
  double closing_since_ = 0;
  bool input_ended_ = false;
  bool row_stays_ = true;
};

}  // namespace m2
