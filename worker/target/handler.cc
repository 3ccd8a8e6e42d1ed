#include "worker/target/handler.h"

#include "proto/handler/socket_message_writer.h"
#include "proto/message_socket/socket_message.h"
#include "proto/websocket/handshake.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/download_credits.h"
#include "worker/target/handler_responder.h"
#include "worker/target/upload_responder.h"
#include "worker/target/websocket_frames.h"
#include "worker/target/websocket_messages.h"
#include "worker/target/websocket_shared.h"

namespace m2 {
namespace {

constexpr std::string_view kRetry = "Retry-After: 1\r\n";

}  // namespace

HandlerTarget::HandlerTarget(const HandlerRow& row, std::shared_ptr<HandlerNotices> notices,
                             SendfilePlace sendfile, Uploads& uploads)
    : row_(row), notices_(std::move(notices)), sendfile_(std::move(sendfile)), uploads_(uploads) {}

HandlerTarget::~HandlerTarget() = default;

BodyPolicy HandlerTarget::body_policy(const Exchange& exchange) const {
  const bool large = exchange.head().content_length > exchange.generation().limits().content_length;
  return large && takes_larger(exchange) ? BodyPolicy::kStream : BodyPolicy::kWhole;
}

bool HandlerTarget::takes_larger(const Exchange& exchange) const {
  return exchange.generation().limits().uploads.accepted();
}

void HandlerTarget::start(Exchange& exchange) {
  if (exchange.body_follows()) {
    return UploadResponder::begin(exchange, shared_from_this(), uploads_);
  }
  if (exchange.head().upgrade && asks_for_websocket(exchange.head(), exchange.base())) {
    if (row_.websocket == WebSocketContract::kMessages) {
      return WebSocketMessages::begin(exchange, shared_from_this());
    }
    return WebSocketOpening::begin(exchange, shared_from_this());
  }
  HandlerResponder::begin(exchange, shared_from_this());
}

HandlerRequest HandlerTarget::words(Exchange& exchange, const More& more) const {
  return {.send_ident = row_.send_ident,
          .id = exchange.client().id(),
          .base = exchange.base(),
          .head = &exchange.head(),
          .pattern = exchange.route().pattern,
          .remote_addr = exchange.client_address(),
          .scheme = exchange.scheme(),
          .body = more.body,
          .keep_client_xff = exchange.generation().limits().keep_client_xff,
          .request_id = exchange.request_id(),
          .method = more.method,
          .extra = more.fields};
}

WebSocketShared& HandlerTarget::websocket() {
  if (websocket_ == nullptr) websocket_ = std::make_unique<WebSocketShared>();
  return *websocket_;
}

bool HandlerTarget::tell(Exchange& exchange, const More& more) {
  ClientStream& client = exchange.client();
  const ConnectionId id = client.id();
  DownloadCredits credits;
  const std::span<const ExtraField> fields = credits.add_to(more.fields, exchange, notices_);
  write_request(words(exchange, {.method = more.method, .fields = fields, .body = more.body}),
                row_.protocol, message_);
  if (!link().submit(id, message_)) {
    exchange.answer_status(503, "the queue of handler pair " + row_.send_spec + " is full", kRetry);
    return false;
  }
  notices_->speak_as(row_);
  client.remember_handler(notices_);
  return true;
}

MessageTaken HandlerTarget::socket_message(Exchange& exchange, const SocketMessage& message) {
  ClientStream& client = exchange.client();
  const ConnectionId id = client.id();
  write_socket_message({.send_ident = row_.send_ident,
                        .id = id,
                        .path = message.path,
                        .method = message.kind == SocketMessageKind::kXml ? "XML" : "JSON",
                        .pattern = exchange.route().pattern,
                        .remote_addr = exchange.client_address(),
                        .body = message.body,
                        .scheme = exchange.scheme()},
                       row_.protocol, message_);
  if (!link().submit(id, message_)) return MessageTaken::kFull;
  notices_->speak_as(row_);
  client.remember_handler(notices_);
  return row_.raw_payload ? MessageTaken::kRaw : MessageTaken::kEncoded;
}

}  // namespace m2
