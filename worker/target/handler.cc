#include "worker/target/handler.h"

#include "proto/handler/socket_message_writer.h"
#include "proto/message_socket/socket_message.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/handler_responder.h"

namespace m2 {
namespace {

constexpr std::string_view kRetry = "Retry-After: 1\r\n";

}  // namespace

HandlerTarget::HandlerTarget(const HandlerRow& row, std::shared_ptr<HandlerLink> link)
    : row_(row), link_(std::move(link)) {}

HandlerTarget::~HandlerTarget() = default;

BodyPolicy HandlerTarget::body_policy(const Exchange&) const { return BodyPolicy::kWhole; }

void HandlerTarget::start(Exchange& exchange) {
  HandlerResponder::begin(exchange, shared_from_this());
}

bool HandlerTarget::tell(Exchange& exchange, const More& more) {
  ClientStream& client = exchange.client();
  const ConnectionId id = client.id();
  write_request({.send_ident = row_.send_ident,
                 .id = id,
                 .base = exchange.base(),
                 .head = &exchange.head(),
                 .pattern = exchange.route().pattern,
                 .remote_addr = exchange.client_address(),
                 .body = more.body,
                 .keep_client_xff = exchange.generation().limits().keep_client_xff,
                 .method = more.method,
                 .extra = more.fields},
                row_.protocol, message_);
  if (!link_->submit(id, message_)) {
    exchange.answer_status(503, "the queue of handler pair " + row_.send_spec + " is full", kRetry);
    return false;
  }
  client.remember_handler(shared_from_this());
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
                        .body = message.body},
                       row_.protocol, message_);
  if (!link_->submit(id, message_)) return MessageTaken::kFull;
  client.remember_handler(shared_from_this());
  return row_.raw_payload ? MessageTaken::kRaw : MessageTaken::kEncoded;
}

void HandlerTarget::client_left(ConnectionId id) {
  // A request that no handler has seen yet needs no notice, and no handler.
  if (link_->withdraw(id)) return;
  write_disconnect(row_.send_ident, id, row_.protocol, message_);
  link_->notify(id, message_);
}

bool HandlerTarget::client_half_closed(ConnectionId id) {
  if (link_->holds(id)) return false;
  client_left(id);
  return true;
}

}  // namespace m2
