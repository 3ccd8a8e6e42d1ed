#include "worker/target/handler_replies.h"

#include <time.h>

#include "common/in_quotes.h"
#include "common/log.h"
#include "proto/handler/cut_id.h"
#include "proto/handler/extended_reply.h"
#include "proto/handler/reply_parser.h"
#include "proto/websocket/order.h"
#include "worker/http/connection.h"
#include "worker/target/handler_notices.h"
#include "worker/target/target.h"

namespace m2 {

void HandlerReplies::handler_message(HandlerLink& link, HandlerMessage& message) {
  const Result<Reply> parsed = parse_reply(message.bytes(), clients_.limits().handler_targets);
  if (!parsed.ok()) return count_bad(link, parsed.message());
  if (parsed.value().extended) {
    if (is_websocket_order(parsed.value().body)) return order(link, parsed.value(), message);
    return do_as_told(link, parsed.value());
  }
  deliver(link, parsed.value(), message);
}

void HandlerReplies::deliver(HandlerLink& link, const Reply& reply, HandlerMessage& message) {
  // Also keeps the link while clients that held it may end.
  const std::shared_ptr<HandlerNotices> notices = pairs_->notices_of(link);
  if (notices == nullptr) return count_bad(link, "the pair is not in use any more");
  std::string_view ids = reply.ids;
  for (std::string_view text = next_id(ids); !text.empty(); text = next_id(ids)) {
    const ConnectionId id = parse_connection_id(text);
    Connection* const connection = id == 0 ? nullptr : clients_.find(id);
    if (connection == nullptr) {
      if (fits_an_int(text)) look_for_cut(link, text);
      // Never for the message that closes: what it wants is so already.
      if (!reply.body.empty() && is_ours(link, id)) notices->client_left(id, true);
      continue;
    }
    if (reply.body.empty()) {
      connection->forget_handler(&link);
      link.forget(id);
    }
    if (!connection->handler_reply(reply.body, message, notices->row())) {
      count_late(link, text, reply.body.size());
    }
  }
}

void HandlerReplies::order(HandlerLink& link, const Reply& reply, HandlerMessage& message) {
  const Result<WebSocketOrder> parsed = read_websocket_order(reply.body);
  if (!parsed.ok()) return count_bad(link, parsed.message());
  const std::shared_ptr<HandlerNotices> notices = pairs_->notices_of(link);
  if (notices == nullptr) return count_bad(link, "the pair is not in use any more");
  std::string_view ids = reply.ids;
  for (std::string_view text = next_id(ids); !text.empty(); text = next_id(ids)) {
    const ConnectionId id = parse_connection_id(text);
    Connection* const connection = id == 0 ? nullptr : clients_.find(id);
    if (connection == nullptr) {
      const bool closes = parsed.value().kind == WebSocketOrder::Kind::kClose;
      if (!closes && is_ours(link, id)) notices->client_left(id, true);
      continue;
    }
    Responder* const responder = connection->responder();
    if (responder == nullptr || !responder->websocket_order(parsed.value(), message)) {
      count_late(link, text, reply.body.size());
    }
  }
}

void HandlerReplies::do_as_told(HandlerLink& link, const Reply& reply) {
  const Result<ExtendedReply> parsed = parse_extended_reply(reply.body);
  if (!parsed.ok()) return count_bad(link, parsed.message());
  const ExtendedReply& told = parsed.value();
  if (!told.unknown_command.empty()) {
    count_bad(link, "extended message: no command ", told.unknown_command.substr(0, 64));
  } else if (told.kind == ExtendedReply::Kind::kUnknown) {
    count_bad(link,
              "extended message: the connections are closed, since nobody knows its value of ",
              told.key.substr(0, 64));
  }
  const std::shared_ptr<HandlerNotices> keeps_the_link = pairs_->notices_of(link);
  std::string_view ids = reply.ids;
  for (std::string_view text = next_id(ids); !text.empty(); text = next_id(ids)) {
    const ConnectionId id = parse_connection_id(text);
    Connection* const connection = id == 0 ? nullptr : clients_.find(id);
    if (connection == nullptr) continue;  // and no notice
    if (told.kind == ExtendedReply::Kind::kUnknown) {
      connection->close("its handler sent an extended message that nobody knows");
      continue;
    }
    if (told.cancel) {
      connection->forget_handler(&link);
      link.forget(id);
      connection->close("its handler cancelled it");
      continue;
    }
    Responder* const responder = connection->responder();
    if (told.keep_alive) connection->touch();
    if (told.keep_alive && responder != nullptr) responder->keep_alive();
    if (told.credits != 0 && responder != nullptr) responder->add_credits(told.credits);
    if (told.kind != ExtendedReply::Kind::kSendfile) continue;
    if (responder == nullptr || !responder->send_file(told.path)) {
      count_late(link, text, reply.body.size());
    }
  }
}

void HandlerReplies::request_refused(HandlerLink& link, ConnectionId id, std::string_view why,
                                     int status) {
  if (Connection* connection = clients_.find(id)) connection->request_refused(&link, why, status);
}

void HandlerReplies::connections_left(HandlerLink& link, std::vector<ConnectionId> ids) {
  log_info("handler pair " + link.send_spec() + ": handlers are told of " +
           std::to_string(ids.size()) + " connections that ended with the worker before");
  if (const auto notices = pairs_->notices_of(link)) notices->all_left(std::move(ids));
}

std::vector<ConnectionId> HandlerReplies::told(const HandlerLink& link) {
  std::vector<ConnectionId> ids;
  clients_.each([&](Connection& connection) {
    if (connection.is_told(&link)) ids.push_back(connection.any_id());
  });
  return ids;
}

// The relay sends the same bytes to each worker concerned, and answers for the ids of workers that
// are no more.
bool HandlerReplies::is_ours(const HandlerLink& link, ConnectionId id) const {
  return id != 0 && (!link.behind_relay() || clients_.may_be_ours(id));
}

void HandlerReplies::count_bad(HandlerLink& link, std::string_view why, std::string_view detail) {
  const std::string kind = link.recv_spec() + ": " + std::string(why);
  const uint64_t alike = bad_.add(kind);
  if (alike == 0) return;
  log_warn("Skipped invalid message from handler: " + kind +
           (detail.empty() ? "" : in_quotes(detail)) + " (so far of this kind: " +
           std::to_string(alike) + ", of all: " + std::to_string(bad_.total()) + ")");
}

// A look at all clients, so once a second at most.
void HandlerReplies::look_for_cut(HandlerLink& link, std::string_view text) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (now.tv_sec == looked_for_cut_s_) return;
  looked_for_cut_s_ = now.tv_sec;
  bool cut = false;
  clients_.each([&](Connection& connection) {
    cut = cut || (connection.is_told(&link) && is_cut(text, connection.any_id()));
  });
  if (!cut) return;
  log_warn("handler pair " + link.send_spec() + ": a reply to connection " + std::string(text) +
           ", which is another one's id cut short: " + std::string(kCutIdAdvice));
}

void HandlerReplies::count_late(HandlerLink& link, std::string_view id, size_t bytes) {
  if (!late_.add()) return;
  log_warn("handler pair " + link.send_spec() + ": " + std::to_string(bytes) +
           " bytes for connection " + std::string(id) +
           " dropped, it waits for no answer (dropped so far: " + std::to_string(late_.total()) +
           ")");
}

}  // namespace m2
