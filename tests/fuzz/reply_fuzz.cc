// Goal: any message is refused or read; what is read, written again, is the message but for a space
// at the end of the ids. The first byte of the input is the limit of ids.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/handler/connection_id.h"
#include "proto/handler/reply_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint32_t targets_max = data[0];
  const std::string_view message(reinterpret_cast<const char*>(data + 1), size - 1);
  const m2::Result<m2::Reply> result = m2::parse_reply(message, targets_max);
  if (!result.ok()) {
    if (result.message().empty()) std::abort();
    return 0;
  }
  const m2::Reply& reply = result.value();
  std::string ids(reply.extended ? "X" : "");
  uint32_t count = 0;
  for (std::string_view rest = reply.ids; !rest.empty(); ++count) {
    const std::string_view id = m2::next_id(rest);
    if (id.empty() || id.find_first_not_of("0123456789") != id.npos) std::abort();
    m2::parse_connection_id(id);
    if (!ids.empty()) ids += ' ';
    ids += id;
  }
  if (count == 0 || count != reply.id_count || count > targets_max) std::abort();
  if (reply.ids.ends_with(' ')) ids += ' ';
  std::string again(reply.sender);
  again += ' ' + std::to_string(ids.size()) + ':' + ids + ", ";
  again += reply.body;
  if (again != message) std::abort();
  return 0;
}
