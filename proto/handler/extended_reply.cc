#include "proto/handler/extended_reply.h"

#include <limits>
#include <string>

#include "proto/handler/tnetstring.h"

namespace m2 {

namespace {

using Kind = TnetValue::Kind;

Status take_commands(std::string_view dict, ExtendedReply& reply) {
  while (const auto key = next_tnet_value(dict)) {
    const TnetValue value = *next_tnet_value(dict);
    if (key->data == "keep-alive") {
      reply.keep_alive = true;
    } else if (key->data == "cancel") {
      reply.cancel = true;
    } else if (key->data == "credits") {
      const auto number = value.unsigned_number();
      if (!number) return Status::error("extended message: credits must be a whole number");
      const uint64_t room = std::numeric_limits<uint64_t>::max() - reply.credits;
      reply.credits += *number < room ? *number : room;
    } else if (reply.unknown_command.empty()) {
      reply.unknown_command = key->data.empty() ? "(empty)" : key->data;
    }
  }
  return {};
}

}  // namespace

Result<ExtendedReply> parse_extended_reply(std::string_view body) {
  const Result<TnetValue> parsed = parse_tnetstring(body);
  if (!parsed.ok()) return Status::error("extended message: " + parsed.message());
  if (!parsed.value().is(Kind::kList)) {
    return Status::error("extended message: must be a list of a key and its value");
  }
  std::string_view elements = parsed.value().data;
  const auto key = next_tnet_value(elements);
  const auto value = next_tnet_value(elements);
  if (!value || !elements.empty() || !key->is(Kind::kText)) {
    return Status::error("extended message: must be a list of two, a text and its value");
  }
  ExtendedReply reply;
  reply.key = key->data;
  if (reply.key == "ctl" && value->is(Kind::kDict)) {
    reply.kind = ExtendedReply::Kind::kControl;
    if (Status status = take_commands(value->data, reply); !status.ok()) return status;
  } else if (reply.key == "sendfile" && value->is(Kind::kText)) {
    reply.kind = ExtendedReply::Kind::kSendfile;
    reply.path = value->data;
  }
  return reply;
}

}  // namespace m2
