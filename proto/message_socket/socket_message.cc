#include "proto/message_socket/socket_message.h"

#include <algorithm>

#include "proto/http/syntax.h"
#include "proto/message_socket/json_object.h"

namespace m2 {
namespace {

constexpr std::string_view kPolicyRequest = "<policy-file-request/>";
constexpr std::string_view kPolicy =
    "<?xml version=\"1.0\"?><!DOCTYPE cross-domain-policy SYSTEM "
    "\"http://www.macromedia.com/xml/dtds/cross-domain-policy.dtd\"><cross-domain-policy> "
    "<allow-access-from domain=\"*\" to-ports=\"*\" /></cross-domain-policy>";

Status fault(std::string_view what, size_t at) {
  return Status::error("message socket: " + std::string(what) + " at byte " + std::to_string(at));
}

// {"type":"ping"} with blanks before the value: as Mongrel2 1.x knows it.
bool is_ping(std::string_view name, std::string_view object) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || c == '/'; });
  constexpr std::string_view kStart = "{\"type\":";
  if (!plain || !object.starts_with(kStart)) return false;
  object.remove_prefix(kStart.size());
  while (!object.empty() && is_blank(object.front())) object.remove_prefix(1);
  return object == "\"ping\"}";
}

Result<SocketMessage> parse_json(std::string_view text) {
  size_t at = 1;
  while (at < text.size() && is(text[at], kPathChar)) ++at;
  if (at == text.size() || text[at] != ' ') return fault("no blank behind the route", at);
  const std::string_view object = text.substr(at + 1);
  if (object.empty() || object.front() != '{') return fault("no JSON object", at + 1);
  if (object.back() != '}') return fault("bytes behind the JSON object", text.size() - 1);
  SocketMessage message{SocketMessageKind::kJson, text.substr(0, at), object};
  if (is_ping(message.path.substr(1), object)) message.kind = SocketMessageKind::kPing;
  if (!is_json_object(object)) return fault("broken JSON in the object", at + 1);
  return message;
}

bool is_tag_char(char c) {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || is(c, kDigitChar) || c == '.' || c == '-';
}

Result<SocketMessage> parse_xml(std::string_view text) {
  size_t at = 1;
  while (at < text.size() && is_tag_char(text[at])) ++at;
  if (at == 1) return fault("no tag name", at);
  const std::string_view path = text.substr(0, at);
  const size_t open_end = text.find('>');
  if (open_end == std::string_view::npos) return fault("the tag has no end", text.size());
  if (at != open_end && text[at] != '/' && !is_blank(text[at]) && text[at] != '\r' &&
      text[at] != '\n') {
    return fault("a byte that is not allowed in a tag name", at);
  }
  const bool alone = text[open_end - 1] == '/' && open_end + 1 == text.size();
  // The end tag is not compared with the start tag, as in Mongrel2 1.x.
  const size_t close = text.rfind("</");
  const bool closed = close != std::string_view::npos && close > open_end && text.back() == '>';
  if (!alone && !closed) return fault("the element has no end", text.size());
  return SocketMessage{SocketMessageKind::kXml, path, text};
}

}  // namespace

Result<SocketMessage> parse_socket_message(std::string_view text) {
  if (text == kPolicyRequest) return SocketMessage{SocketMessageKind::kPolicy, {}, text};
  return text.starts_with('@') ? parse_json(text) : parse_xml(text);
}

std::string encode_socket_answer(std::string_view body) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (body.ends_with('\0')) body.remove_suffix(1);
  std::string out;
  out.reserve((body.size() + 2) / 3 * 4 + 1);
  for (size_t at = 0; at < body.size(); at += 3) {
    const size_t left = body.size() - at;
    const auto byte = [&](size_t offset) {
      return offset < left ? static_cast<unsigned char>(body[at + offset]) : 0u;
    };
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    out.push_back(kAlphabet[bits >> 18]);
    out.push_back(kAlphabet[bits >> 12 & 63]);
    out.push_back(left > 1 ? kAlphabet[bits >> 6 & 63] : '=');
    out.push_back(left > 2 ? kAlphabet[bits & 63] : '=');
  }
  out.push_back('\0');
  return out;
}

std::string_view socket_policy() { return {kPolicy.data(), kPolicy.size() + 1}; }

}  // namespace m2
