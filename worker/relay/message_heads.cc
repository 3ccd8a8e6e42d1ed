#include "worker/relay/message_heads.h"

#include "proto/handler/extended_reply.h"

namespace m2 {

RequestHeadFacts read_request_head(std::string_view message) {
  constexpr std::string_view kNoticePath = "@* ";
  constexpr std::string_view kCreditsBody = "18:{\"type\":\"credits\"},";
  constexpr std::string_view kNoticeBody = "21:{\"type\":\"disconnect\"},";
  const size_t id_at = message.find(' ') + 1;
  if (id_at == 0) return {};
  const size_t id_end = message.find(' ', id_at);
  if (id_end == std::string_view::npos) return {};
  const bool notice = message.substr(id_end + 1).starts_with(kNoticePath);
  return {parse_connection_id(message.substr(id_at, id_end - id_at)),
          notice && message.ends_with(kNoticeBody), notice && message.ends_with(kCreditsBody)};
}

bool asks_for_the_end(const Reply& reply) {
  if (!reply.extended) return reply.body.empty();
  const Result<ExtendedReply> extended = parse_extended_reply(reply.body);
  return extended.ok() && extended.value().cancel;
}

}  // namespace m2
