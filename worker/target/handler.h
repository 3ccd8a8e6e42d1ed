// Handler: a request becomes one 0MQ message; the answer comes back later, from anywhere, through
// HandlerReplies. docs/handler-protocol.md has the format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "proto/http/response_reader.h"
#include "worker/link/handler_link.h"
#include "worker/target/target.h"
#include "worker/target/upload.h"

namespace m2 {

class HandlerResponder;

class HandlerTarget final : public Target,
                            public ToldHandler,
                            public std::enable_shared_from_this<HandlerTarget> {
 public:
  // uploads outlives it.
  HandlerTarget(const HandlerRow& row, std::shared_ptr<HandlerLink> link, Uploads& uploads);
  ~HandlerTarget() override;

  BodyPolicy body_policy(const Exchange& exchange) const override;
  bool takes_larger(const Exchange& exchange) const override;
  void start(Exchange& exchange) override;
  MessageTaken socket_message(Exchange& exchange, const SocketMessage& message) override;
  // A disconnect notice to this handler's pair.
  void client_left(ConnectionId id) override;
  bool client_half_closed(ConnectionId id) override;
  const void* pair() const override { return link_.get(); }

  const HandlerRow& row() const { return row_; }
  HandlerLink& link() { return *link_; }

 private:
  friend class HandlerResponder;
  std::unique_ptr<HandlerResponder> acquire();

  const HandlerRow row_;
  const std::shared_ptr<HandlerLink> link_;
  Uploads& uploads_;
  std::string message_;  // reused: the request being written
  std::vector<std::unique_ptr<HandlerResponder>> spare_;
};

// One exchange that waits for, or receives, a handler's answer.
class HandlerResponder final : public Responder, private UploadUser {
 public:
  void begin(Exchange& exchange, std::shared_ptr<HandlerTarget> target);
  // Behind begin(): the body follows, and goes to the handlers as an upload (upload.h).
  void begin_upload(Uploads& uploads);

  void body(std::string_view bytes, bool last) override { upload_->body(bytes, last); }
  void pull() override {}
  void stop() override;
  bool handler_reply(std::string_view body, HandlerMessage& message) override;
  // The request reached no handler.
  void refused(std::string_view why) override;
  void credits(uint64_t count) override;
  bool owes_request() const override { return upload_ != nullptr && !upload_->passed_on(); }

 private:
  void finish();
  void upload_failed(int status, std::string why) override;
  void answered();
  void pass_on(std::string_view bytes, HandlerMessage& message);

  Exchange* exchange_ = nullptr;
  std::shared_ptr<HandlerTarget> target_;  // also keeps the link while the answer is awaited
  ConnectionId id_ = 0;
  ResponseReader reader_;
  std::unique_ptr<Upload> upload_;  // of a body that did not fit one message
};

}  // namespace m2
