// Goal: whatever stands in a request, the message can be taken apart again by its netstrings, its
// JSON is valid (a second parser says so) and holds nothing forged. Input: flags, then texts ended
// by newlines.
#include <simdjson.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/handler/request_writer.h"

namespace {

void check(bool condition) {
  if (!condition) std::abort();
}

// "SIZE:DATA" and its tag; what is behind it stays in text.
std::string_view take_netstring(std::string_view& text, char& tag) {
  size_t size = 0, at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    size = size * 10 + static_cast<size_t>(text[at] - '0');
  }
  check(at > 0 && at < text.size() && text[at] == ':' && size < text.size() - at - 1);
  const std::string_view data = text.substr(at + 1, size);
  tag = text[at + 1 + size];
  text.remove_prefix(at + size + 2);
  return data;
}

void check_dict(std::string_view block, std::string_view path) {
  bool path_seen = false;
  char tag = 0;
  while (!block.empty()) {
    const std::string_view key = take_netstring(block, tag);
    check(tag == ',' && !key.starts_with("x-mongrel2-"));
    std::string_view value = take_netstring(block, tag);
    if (key == "PATH") {
      check(!path_seen && tag == ',' && value == path);
      path_seen = true;
    }
    check(tag == ',' || tag == ']');
    while (tag == ']' && !value.empty()) {
      char inner = 0;
      take_netstring(value, inner);
      check(inner == ',');
    }
  }
  check(path_seen);
}

void check_json(std::string_view block) {
  static simdjson::dom::parser parser;
  simdjson::dom::object object;
  check(parser.parse(simdjson::padded_string(block)).get(object) == simdjson::SUCCESS);
  int paths = 0;
  for (const simdjson::dom::key_value_pair pair : object) {
    paths += pair.key == "PATH";
    check(!std::string_view(pair.key).starts_with("x-mongrel2-"));
  }
  check(paths == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t flags = data[0];
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  size_t at = 0;
  const auto next = [&]() -> m2::Slice {
    const size_t end = std::min(bytes.find('\n', at), bytes.size());
    const m2::Slice slice{static_cast<uint32_t>(at), static_cast<uint32_t>(end - at)};
    at = std::min(end + 1, bytes.size());
    return slice;
  };
  m2::RequestHead head;
  head.path = next();
  head.method = next();
  head.has_query = flags & 1;
  head.has_fragment = flags & 2;
  if (head.has_query) head.query = next();
  if (head.has_fragment) head.fragment = next();
  const m2::Slice pattern = next();
  const m2::Slice body = next();
  while (at < bytes.size()) {
    const m2::Slice name = next();
    head.fields.push_back({name, next()});
  }
  m2::HandlerRequest request;
  request.send_ident = "ident";
  request.id = 1 + flags;
  request.base = bytes.data();
  request.head = &head;
  request.pattern = pattern.in(bytes.data());
  request.remote_addr = "127.0.0.1";
  request.body = body.in(bytes.data());
  request.keep_client_xff = flags & 4;
  const m2::HeaderFormat format =
      flags & 8 ? m2::HeaderFormat::kTnetstring : m2::HeaderFormat::kJson;

  std::string out;
  m2::write_request(request, format, out);
  const std::string_view path = head.path.in(bytes.data());
  const std::string start = "ident " + std::to_string(request.id) + ' ' + std::string(path) + ' ';
  check(out.starts_with(start));
  std::string_view rest = std::string_view(out).substr(start.size());
  char tag = 0;
  const std::string_view block = take_netstring(rest, tag);
  check(tag == (flags & 8 ? '}' : ','));
  check(take_netstring(rest, tag) == request.body && tag == ',' && rest.empty());
  if (flags & 8) {
    check_dict(block, path);
  } else {
    check_json(block);
  }
  return 0;
}
