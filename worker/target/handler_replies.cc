#include "worker/target/handler_replies.h"

#include "common/log.h"
#include "proto/handler/reply_parser.h"
#include "worker/http/connection.h"

namespace m2 {
namespace {

// The first of a kind is logged, then every thousandth: a mad handler must not fill the disk.
bool worth_a_line(uint64_t count) { return count == 1 || count % 1000 == 0; }

}  // namespace

void HandlerReplies::handler_message(HandlerLink& link, HandlerMessage& message) {
  const Result<Reply> parsed = parse_reply(message.bytes(), clients_.limits().handler_targets);
  if (!parsed.ok()) return count_bad(link, parsed.message());
  const Reply& reply = parsed.value();
  if (reply.extended) return count_bad(link, "extended messages are not known yet");
  std::string_view ids = reply.ids;
  for (std::string_view text = next_id(ids); !text.empty(); text = next_id(ids)) {
    const ConnectionId id = parse_connection_id(text);
    Connection* connection = id == 0 ? nullptr : clients_.find(id);
    if (connection == nullptr) {
      // The relay sends the same bytes to each worker concerned, and answers for the ids of workers
      // that are no more.
      const bool ours = !link.behind_relay() || clients_.may_be_ours(id);
      if (id != 0 && ours && !reply.body.empty()) answer_unknown(link, id);
      continue;
    }
    if (reply.body.empty()) connection->forget_handler(&link);
    if (!connection->handler_reply(reply.body, message) && worth_a_line(++late_messages_)) {
      log_warn("handler pair " + link.send_spec() + ": " + std::to_string(reply.body.size()) +
               " bytes for connection " + std::string(text) +
               " dropped, it waits for no answer (dropped so far: " +
               std::to_string(late_messages_) + ")");
    }
  }
}

void HandlerReplies::request_refused(HandlerLink&, ConnectionId id, std::string_view why,
                                     int status) {
  if (Connection* connection = clients_.find(id)) connection->request_refused(why, status);
}

void HandlerReplies::answer_unknown(HandlerLink& link, ConnectionId id) {
  const int64_t second = static_cast<int64_t>(loop_.now());
  Told& told = told_[id % told_.size()];
  if (told.id == id && told.second == second) return;
  told = {id, second};
  if (notices_ != nullptr) notices_->unknown_client(link, id);
}

void HandlerReplies::count_bad(HandlerLink& link, std::string_view why) {
  if (!worth_a_line(++bad_messages_)) return;
  log_warn("Skipped invalid message from handler: " + link.recv_spec() + ": " + std::string(why) +
           " (skipped so far: " + std::to_string(bad_messages_) + ")");
}

}  // namespace m2
