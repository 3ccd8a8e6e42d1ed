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
#include "worker/link/drop_counter.h"
#include "worker/target/handler_notices.h"
#include "worker/target/open_beneath.h"
#include "worker/target/target.h"

namespace m2 {

class HandlerResponder;
class Uploads;
struct WebSocketShared;

// Where handlers may let files be sent from.
struct SendfilePlace {
  std::string base;  // relative to the root, with '/' at its end; "": nowhere
  Resolver resolver = Resolver::kKernel;
  bool operator==(const SendfilePlace&) const = default;
};

class HandlerTarget final : public Target, public std::enable_shared_from_this<HandlerTarget> {
 public:
  // uploads outlives it.
  HandlerTarget(const HandlerRow& row, std::shared_ptr<HandlerNotices> notices,
                SendfilePlace sendfile, Uploads& uploads);
  ~HandlerTarget() override;

  BodyPolicy body_policy(const Exchange& exchange) const override;
  bool takes_larger(const Exchange& exchange) const override;
  bool takes_fragment() const override { return true; }
  // Hands the exchange to the responder that fits what was asked.
  void start(Exchange& exchange) override;
  MessageTaken socket_message(Exchange& exchange, const SocketMessage& message) override;
  const HandlerRow& row() const { return row_; }
  HandlerLink& link() { return notices_->link(); }
  const void* pair() const override { return notices_->pair(); }
  // What clients remember that the pair was told of.
  const std::shared_ptr<HandlerNotices>& notices() const { return notices_; }
  const SendfilePlace& sendfile() const { return sendfile_; }

  // For responders. Tells the pair of the request in the words of `more` (whose body stands for the
  // request's), and has the client remembered. False: the queue is full; the exchange was answered
  // 503 and must not be touched.
  struct More {
    std::string_view method;  // "": the client's own
    std::span<const ExtraField> fields;
    std::string_view body;
  };
  bool tell(Exchange& exchange, const More& more);
  // Bytes behind a complete answer were dropped. True: log it.
  bool count_surplus() { return surplus_.add(); }
  uint64_t surplus() const { return surplus_.total(); }
  // The words of tell(). They are valid while the bytes of the request are, and more.
  HandlerRequest words(Exchange& exchange, const More& more) const;
  // What all WebSockets of the pair share.
  WebSocketShared& websocket();

 private:
  friend class HandlerResponder;

  const HandlerRow row_;
  const std::shared_ptr<HandlerNotices> notices_;
  const SendfilePlace sendfile_;
  Uploads& uploads_;
  std::string message_;  // reused: the request being written
  DropCounter surplus_;
  std::vector<std::unique_ptr<HandlerResponder>> spare_;
  std::unique_ptr<WebSocketShared> websocket_;  // made when first needed
};

}  // namespace m2
