// Goal: any bytes are refused with a reason or read as a message whose parts lie within them.
#include "proto/message_socket/socket_message.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.empty() || !m2::begins_socket_message(text[0])) return 0;
  const auto parsed = m2::parse_socket_message(text);
  if (!parsed.ok()) {
    if (parsed.message().empty()) std::abort();
    return 0;
  }
  const m2::SocketMessage& message = parsed.value();
  if (!std::string_view(text).starts_with(message.path)) std::abort();
  if (!std::string_view(text).ends_with(message.body)) std::abort();
  const std::string answer = m2::encode_socket_answer(text);
  if (answer.back() != '\0' || answer.size() % 4 != 1) std::abort();
  return 0;
}
