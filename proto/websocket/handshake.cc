#include "proto/websocket/handshake.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kKeyChars = 24;  // base64 of 16 bytes

std::string_view value_of(const RequestHead& head, const char* base, std::string_view name) {
  const HeaderField* field = head.find(base, name);
  return field == nullptr ? std::string_view() : field->value.in(base);
}

// Any field of this name has word in its comma list.
bool lists(const RequestHead& head, const char* base, std::string_view name,
           std::string_view word) {
  for (const HeaderField& field : head.fields) {
    if (!equals_ignore_case(field.name.in(base), name)) continue;
    std::string_view list = field.value.in(base);
    std::string_view element;
    while (next_element(list, element)) {
      if (equals_ignore_case(element, word)) return true;
    }
  }
  return false;
}

bool is_base64(char c) {
  return is(c, kDigitChar) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '+' || c == '/';
}

// 16 bytes: 22 characters and "==".
bool is_key(std::string_view key) {
  return key.size() == kKeyChars && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_base64);
}

}  // namespace

bool asks_for_websocket(const RequestHead& head, const char* base) {
  return head.upgrade && head.has_host && lists(head, base, "upgrade", "websocket") &&
         lists(head, base, "connection", "upgrade") &&
         !value_of(head, base, "sec-websocket-key").empty() &&
         !value_of(head, base, "sec-websocket-version").empty();
}

HandshakeFault check_handshake(const RequestHead& head, const char* base) {
  if (head.method.in(base) != "GET") return {405, "a WebSocket is opened with GET"};
  if (value_of(head, base, "sec-websocket-version") != "13") {
    return {426, "Sec-WebSocket-Version: only 13 is known"};
  }
  if (!is_key(value_of(head, base, "sec-websocket-key"))) {
    return {400, "Sec-WebSocket-Key is not the base64 of 16 bytes"};
  }
  return {};
}

std::string accept_value(std::string_view key) {
  const std::string text = std::string(key).append(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> encoded;
  const int size = ::EVP_EncodeBlock(encoded.data(), digest.data(), digest.size());
  return std::string(reinterpret_cast<const char*>(encoded.data()), static_cast<size_t>(size));
}

std::string handshake_answer(std::string_view accept, std::string_view protocol,
                             std::string_view extension) {
  std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: ";
  answer.append(accept).append("\r\n");
  if (!protocol.empty()) answer.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
  if (!extension.empty()) {
    answer.append("Sec-WebSocket-Extensions: ").append(extension).append("\r\n");
  }
  return answer.append("\r\n");
}

std::string_view first_token(std::string_view list) {
  std::string_view element;
  if (!next_element(list, element)) return {};
  const bool token =
      std::all_of(element.begin(), element.end(), [](char c) { return is(c, kTokenChar); });
  return token ? element : std::string_view();
}

}  // namespace m2
