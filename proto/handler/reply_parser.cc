#include "proto/handler/reply_parser.h"

#include <string>

#include "proto/handler/ident.h"

namespace m2 {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// at: counted from 0; people count from 1.
Status refuse(size_t at, std::string_view what) {
  return Status::error("handler message, byte " + std::to_string(at + 1) + ": " +
                       std::string(what) + "; it must read \"UUID LEN:ID ID, BODY\"");
}

// Checks "ID ID ID" with at most one space at the end, and counts.
Result<uint32_t> count_ids(std::string_view ids, size_t offset, uint32_t targets_max) {
  uint32_t count = 0;
  size_t at = 0;
  while (at < ids.size()) {
    const size_t start = at;
    while (at < ids.size() && is_digit(ids[at])) ++at;
    if (at == start) return refuse(offset + at, "a connection id must be here, digits only");
    if (++count > targets_max) {
      return refuse(offset + start, "more than the " + std::to_string(targets_max) +
                                        " ids that limits.handler_targets allows, nobody gets it");
    }
    if (at == ids.size()) break;
    if (ids[at] != ' ') return refuse(offset + at, "ids are digits with one space between them");
    ++at;
  }
  if (count == 0) return refuse(offset, "there is no connection id");
  return count;
}

}  // namespace

Result<Reply> parse_reply(std::string_view message, uint32_t targets_max) {
  Reply reply;
  size_t at = 0;
  while (at < message.size() && is_ident_byte(message[at])) ++at;
  reply.sender = message.substr(0, at);
  if (at == 0) return refuse(at, "the UUID is missing");
  if (at > kIdentBytesMax) return refuse(kIdentBytesMax, "the UUID is longer than 255 bytes");
  if (at == message.size()) return refuse(at, "the message ends in the UUID");
  if (message[at] != ' ') return refuse(at, "a space must follow the UUID");
  const size_t length_start = ++at;

  size_t length = 0;
  for (; at < message.size() && is_digit(message[at]); ++at) {
    length = length * 10 + static_cast<unsigned>(message[at] - '0');
    if (length > message.size()) return refuse(length_start, "LEN is beyond the message");
  }
  if (at == length_start) return refuse(at, "LEN, the size of the id list, is missing");
  if (message[length_start] == '0' && at - length_start > 1) {
    return refuse(length_start, "LEN begins with a zero");
  }
  if (at == message.size() || message[at] != ':') return refuse(at, "':' must follow LEN");
  size_t ids_start = ++at;
  if (length > message.size() - at) return refuse(length_start, "LEN is beyond the message");
  at += length;
  if (at == message.size() || message[at] != ',') {
    return refuse(at, "the id list must end here in ',' (LEN says so)");
  }
  if (at + 1 == message.size() || message[at + 1] != ' ') {
    return refuse(at + 1, "a space must follow the ','");
  }
  reply.ids = message.substr(ids_start, length);
  reply.body = message.substr(at + 2);

  if (reply.ids == "X" || reply.ids.starts_with("X ")) {
    const size_t marker = reply.ids.size() == 1 ? 1 : 2;
    reply.extended = true;
    reply.ids.remove_prefix(marker);
    ids_start += marker;
  }
  Result<uint32_t> count = count_ids(reply.ids, ids_start, targets_max);
  if (!count.ok()) return std::move(count).status();
  reply.id_count = count.value();
  return reply;
}

std::string_view next_id(std::string_view& ids) {
  const size_t end = ids.find(' ');
  const std::string_view id = ids.substr(0, end);
  ids.remove_prefix(end == std::string_view::npos ? ids.size() : end + 1);
  return id;
}

}  // namespace m2
