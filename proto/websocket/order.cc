#include "proto/websocket/order.h"

#include <charconv>
#include <optional>

namespace m2 {
namespace {

struct Element {
  std::string_view data;
  char tag;
};

// Takes one tnetstring off the front.
std::optional<Element> take(std::string_view& text) {
  uint64_t size = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
  const size_t digits = static_cast<size_t>(parsed.ptr - text.data());
  if (parsed.ec != std::errc() || digits >= text.size() || text[digits] != ':') return {};
  text.remove_prefix(digits + 1);
  if (text.size() <= size) return {};
  const Element element{text.substr(0, static_cast<size_t>(size)), text[static_cast<size_t>(size)]};
  text.remove_prefix(static_cast<size_t>(size) + 1);
  return element;
}

// The value of the list's second element, if the first is the key.
std::optional<Element> websocket_value(std::string_view body) {
  const auto list = take(body);
  if (!list || list->tag != ']' || !body.empty()) return {};
  std::string_view inside = list->data;
  const auto key = take(inside);
  if (!key || key->tag != ',' || key->data != "websocket") return {};
  const auto value = take(inside);
  return inside.empty() ? value : std::nullopt;
}

// "4000 reason", or the code alone.
Result<WebSocketOrder> close_order(std::string_view text) {
  uint32_t code = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), code);
  std::string_view rest = text.substr(static_cast<size_t>(parsed.ptr - text.data()));
  if (parsed.ec != std::errc() || !may_be_sent(code) || (!rest.empty() && rest.front() != ' ')) {
    return Status::error("close: '" + std::string(text.substr(0, 32)) +
                         "' does not begin with a code of 1000-1003, 1007-1014 or 3000-4999");
  }
  if (!rest.empty()) rest.remove_prefix(1);
  return WebSocketOrder{WebSocketOrder::Kind::kClose, rest, static_cast<CloseCode>(code)};
}

}  // namespace

bool is_websocket_order(std::string_view body) {
  const size_t key = body.substr(0, 40).find("9:websocket,");
  return key != std::string_view::npos && key > 1 && body[key - 1] == ':';
}

Result<WebSocketOrder> read_websocket_order(std::string_view body) {
  const auto value = websocket_value(body);
  if (!value || value->tag != '}') {
    return Status::error("an order for WebSockets is [\"websocket\", {KIND: VALUE}]");
  }
  std::string_view inside = value->data;
  const auto kind = take(inside);
  const auto content = take(inside);
  if (!kind || !content || !inside.empty() || kind->tag != ',' ||
      (content->tag != ',' && content->tag != '#')) {
    return Status::error("an order for WebSockets has one KIND with one VALUE");
  }
  if (kind->data == "close") return close_order(content->data);
  if (content->tag != ',') return Status::error("a message is a string");
  if (kind->data == "text") {
    return WebSocketOrder{WebSocketOrder::Kind::kText, content->data, CloseCode::kNormal};
  }
  if (kind->data == "binary") {
    return WebSocketOrder{WebSocketOrder::Kind::kBinary, content->data, CloseCode::kNormal};
  }
  return Status::error("'" + std::string(kind->data.substr(0, 32)) +
                       "' is none of text, binary, close");
}

}  // namespace m2
