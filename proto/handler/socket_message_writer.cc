#include "proto/handler/socket_message_writer.h"

#include <array>
#include <utility>

#include "proto/handler/json_text.h"
#include "proto/handler/netstring.h"

namespace m2 {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

std::string json_block(const std::array<Pair, 6>& pairs) {
  std::string block;
  for (const auto& [key, value] : pairs) {
    block.append(block.empty() ? "{\"" : ",\"").append(key).append("\":\"");
    const size_t at = block.size();
    block.resize(at + json_text_size(value));
    write_json_text(block.data() + at, value);
    block.push_back('"');
  }
  block.push_back('}');
  return block;
}

std::string tnet_block(const std::array<Pair, 6>& pairs) {
  std::string block;
  for (const auto& [key, value] : pairs) {
    append_netstring(block, key);
    append_netstring(block, value);
  }
  return block;
}

}  // namespace

void write_socket_message(const SocketMessageParts& parts, HeaderFormat format, std::string& out) {
  out.assign(parts.send_ident).push_back(' ');
  append_decimal(out, parts.id);
  out.append(" ").append(parts.path).push_back(' ');
  const Pair path{"PATH", parts.path}, method{"METHOD", parts.method};
  const Pair pattern{"PATTERN", parts.pattern}, scheme{"URL_SCHEME", parts.scheme};
  const Pair remote{"REMOTE_ADDR", parts.remote_addr};
  const Pair forwarded{"x-forwarded-for", parts.remote_addr};
  if (format == HeaderFormat::kTnetstring) {
    append_netstring(out, tnet_block({remote, method, scheme, pattern, path, forwarded}), '}');
  } else {
    append_netstring(out, json_block({path, forwarded, method, pattern, scheme, remote}));
  }
  append_netstring(out, parts.body);
}

}  // namespace m2
