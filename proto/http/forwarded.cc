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

  void hop(const std::optional<IpAddress>& address,
           ForwardedScheme scheme = ForwardedScheme::kNotSaid) {
    if (address && found_.client.known() && trusted_.contains(*address)) return;
    found_ = {address.value_or(IpAddress()), scheme};
  }
  const ForwardedRequest& found() const { return found_; }

 private:
  const NetworkList& trusted_;
  ForwardedRequest found_;
};

ForwardedScheme scheme_of(std::string_view text) {
  if (equals_ignore_case(text, "https") || equals_ignore_case(text, "wss")) {
    return ForwardedScheme::kHttps;
  }
  const bool plain = equals_ignore_case(text, "http") || equals_ignore_case(text, "ws");
  return plain ? ForwardedScheme::kHttp : ForwardedScheme::kNotSaid;
}

bool is_plain_address(std::string_view name) {
  return name.size() == 15 && equals_ignore_case(name, "x-forwarded-for");
}
bool is_plain_scheme(std::string_view name) {
  return name.size() == 17 && equals_ignore_case(name, "x-forwarded-proto");
}

// lower: in lower case, with '-'.
bool is_alike(std::string_view name, std::string_view lower) {
  for (size_t i = 0; i < lower.size(); ++i) {
    if ((name[i] == '_' ? '-' : ascii_lower(name[i])) != lower[i]) return false;
  }
  return true;
}

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
    ForwardedScheme scheme = ForwardedScheme::kNotSaid;
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
        if (equals_ignore_case(name, "proto")) scheme = scheme_of(*value);
      }
      skip_blanks();
      if (!list.starts_with(';')) break;
      list.remove_prefix(1);
    }
    if (!list.empty() && list.front() != ',') return walk.hop(std::nullopt);
    if (any) walk.hop(address, scheme);
    if (list.empty()) return;
    list.remove_prefix(1);
  }
}

}  // namespace

ForwardedRequest read_forwarded(const RequestHead& head, const char* base,
                                const NetworkList& trusted) {
  Walk plain(trusted), standard(trusted);
  ForwardedScheme plain_scheme = ForwardedScheme::kNotSaid;
  bool has_plain = false;
  for (const HeaderField& field : head.fields) {
    const std::string_view name = field.name.in(base);
    std::string_view value = field.value.in(base);
    if (is_plain_address(name)) {
      has_plain = true;
      walk_plain_list(value, plain);
    } else if (is_plain_scheme(name)) {
      has_plain = true;
      plain_scheme = scheme_of(trim_blanks(value.substr(value.rfind(',') + 1)));
    } else if (name.size() == 9 && equals_ignore_case(name, "forwarded")) {
      walk_forwarded(value, standard);
    }
  }
  return has_plain ? ForwardedRequest{plain.found().client, plain_scheme} : standard.found();
}

bool is_forwarding_field(std::string_view name) {
  constexpr std::string_view kFamily = "x-forwarded-";
  if (name.size() > kFamily.size() && is_alike(name, kFamily)) return true;
  switch (name.size()) {
    case 8:
      return is_alike(name, "x-scheme");
    case 9:
      return is_alike(name, "forwarded") || is_alike(name, "x-real-ip");
    case 11:
      return is_alike(name, "x-client-ip") || is_alike(name, "x-forwarded");
    case 12:
      return is_alike(name, "x-url-scheme");
    case 13:
      return is_alike(name, "forwarded-for");
    case 14:
      return is_alike(name, "true-client-ip");
    case 15:
      return is_alike(name, "front-end-https");
    case 16:
      return is_alike(name, "cf-connecting-ip") || is_alike(name, "fastly-client-ip");
    case 19:
      return is_alike(name, "x-cluster-client-ip");
    default:
      return false;
  }
}

}  // namespace m2
