// Handler: a request becomes one 0MQ message; the answer comes back later, from anywhere, through
// HandlerReplies. Here is what all exchanges with one handler pair share; how one of them goes on
// is the business of its responder (handler_responder.h). docs/handler-protocol.md has the format.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "proto/handler/request_writer.h"
#include "worker/link/handler_link.h"
#include "worker/target/target.h"

namespace m2 {

class HandlerResponder;
struct WebSocketShared;

class HandlerTarget final : public Target,
                            public ToldHandler,
                            public std::enable_shared_from_this<HandlerTarget> {
 public:
  HandlerTarget(const HandlerRow& row, std::shared_ptr<HandlerLink> link);
  ~HandlerTarget() override;

  BodyPolicy body_policy(const Exchange& exchange) const override;
  // Hands the exchange to the responder that fits what was asked.
  void start(Exchange& exchange) override;
  MessageTaken socket_message(Exchange& exchange, const SocketMessage& message) override;
  // A disconnect notice to this handler's pair.
  void client_left(ConnectionId id) override;
  bool client_half_closed(ConnectionId id) override;
  const void* pair() const override { return link_.get(); }

  const HandlerRow& row() const { return row_; }
  HandlerLink& link() { return *link_; }

  // For responders. Tells the pair of the request in the words of `more` (whose body stands for the
  // request's), and has the client remembered. False: the queue is full; the exchange was answered
  // 503 and must not be touched.
  struct More {
    std::string_view method;  // "": the client's own
    std::span<const ExtraField> fields;
    std::string_view body;
  };
  bool tell(Exchange& exchange, const More& more);
  // The words of tell(). They are valid while the bytes of the request are, and more.
  HandlerRequest words(Exchange& exchange, const More& more) const;
  // What all WebSockets of the pair share.
  WebSocketShared& websocket();

 private:
  friend class HandlerResponder;

  const HandlerRow row_;
  const std::shared_ptr<HandlerLink> link_;
  std::string message_;  // reused: the request being written
  std::vector<std::unique_ptr<HandlerResponder>> spare_;
  std::unique_ptr<WebSocketShared> websocket_;  // made when first needed
};

}  // namespace m2
