// One pass from left to right finds what a walk from the right would: a stranger replaces whatever
// was found before, a trusted address only fills an empty place.
#include "proto/http/forwarded.h"

#include <algorithm>
#include <optional>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

class Walk {
 public:
  explicit Walk(const NetworkList& trusted) : trusted_(trusted) {}

  void hop(const std::optional<IpAddress>& address) {
    if (!address) {
      client_ = {};
    } else if (!client_.known() || !trusted_.contains(*address)) {
      client_ = *address;
    }
  }
  const IpAddress& client() const { return client_; }

 private:
  const NetworkList& trusted_;
  IpAddress client_;
};

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711".
std::optional<IpAddress> parse_node(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    return parse_ip(text.substr(1, end - 1));
  }
  const size_t colon = text.find(':');
  const bool port_behind = colon != std::string_view::npos && colon == text.rfind(':');
  return parse_ip(port_behind ? text.substr(0, colon) : text);
}

void walk_plain_list(std::string_view list, Walk& walk) {
  std::string_view element;
  while (next_element(list, element)) {
    if (!element.empty()) walk.hop(parse_node(element));
  }
}

// A token or a quoted string from the front of text; its quotes are taken off, escapes are left in:
// no address has any. nullopt: neither.
std::optional<std::string_view> take_value(std::string_view& text) {
  size_t length = 0;
  if (!text.starts_with('"')) {
    while (length < text.size() && is(text[length], kTokenChar)) ++length;
    const std::string_view value = text.substr(0, length);
    text.remove_prefix(length);
    return value;
  }
  for (length = 1; length < text.size() && text[length] != '"'; ++length) {
    if (text[length] == '\\') ++length;
  }
  if (length >= text.size()) return std::nullopt;
  const std::string_view value = text.substr(1, length - 1);
  text.remove_prefix(length + 1);
  return value;
}

// for=192.0.2.1;proto=http, for="[2001:db8::1]:4711"
// What does not follow the grammar hides everything up to there, like an unknown address.
void walk_forwarded(std::string_view list, Walk& walk) {
  const auto skip_blanks = [&list] {
    while (!list.empty() && is_blank(list.front())) list.remove_prefix(1);
  };
  while (true) {
    std::optional<IpAddress> address;
    bool any = false;
    while (true) {  // the pairs of one element
      skip_blanks();
      size_t length = 0;
      while (length < list.size() && is(list[length], kTokenChar)) ++length;
      const std::string_view name = list.substr(0, length);
      list.remove_prefix(length);
      if (!name.empty()) {
        any = true;
        if (!list.starts_with('=')) return walk.hop(std::nullopt);
        list.remove_prefix(1);
        const std::optional<std::string_view> value = take_value(list);
        if (!value) return walk.hop(std::nullopt);
        if (equals_ignore_case(name, "for")) address = parse_node(*value);
      }
      skip_blanks();
      if (!list.starts_with(';')) break;
      list.remove_prefix(1);
    }
    if (!list.empty() && list.front() != ',') return walk.hop(std::nullopt);
    if (any) walk.hop(address);
    if (list.empty()) return;
    list.remove_prefix(1);
  }
}

}  // namespace

IpAddress forwarded_client(const RequestHead& head, const char* base, const NetworkList& trusted) {
  Walk plain(trusted), standard(trusted);
  bool has_plain = false;
  for (const HeaderField& field : head.fields) {
    const std::string_view name = field.name.in(base);
    if (name.size() == 15 && equals_ignore_case(name, "x-forwarded-for")) {
      has_plain = true;
      walk_plain_list(field.value.in(base), plain);
    } else if (name.size() == 9 && equals_ignore_case(name, "forwarded")) {
      walk_forwarded(field.value.in(base), standard);
    }
  }
  return has_plain ? plain.client() : standard.client();
}

}  // namespace m2
