// Copies the fields of a request in pieces as large as they stand in what was received: most
// requests lose no field or one, so that most heads are one or two copies.
#include "proto/http/gateway_request.h"

#include <cstring>
#include <optional>

#include "proto/http/forwarded.h"
#include "proto/http/hop_fields.h"
#include "proto/http/syntax.h"

namespace m2 {
namespace {

enum class FieldUse : uint8_t {
  kPass,
  kDrop,
  kHost,
  kForwardedFor,
  kForwarding,  // whatever else proxies say for whom, and how, they ask (forwarded.h)
  kForwardedProto,
  kForwarded,
  kForwards,
  kExpect,
  kRequestId
};

FieldUse use_of_forwarding(std::string_view name) {
  if (equals_ignore_case(name, "x-forwarded-for")) return FieldUse::kForwardedFor;
  if (equals_ignore_case(name, "x-forwarded-proto")) return FieldUse::kForwardedProto;
  return equals_ignore_case(name, "forwarded") ? FieldUse::kForwarded : FieldUse::kForwarding;
}

FieldUse use_of(std::string_view name) {
  if (is_forwarding_field(name)) return use_of_forwarding(name);
  switch (name.size()) {
    case 4:
      return equals_ignore_case(name, "host") ? FieldUse::kHost : FieldUse::kPass;
    case 6:
      return equals_ignore_case(name, "expect") ? FieldUse::kExpect : FieldUse::kPass;
    case 12:
      if (equals_ignore_case(name, "x-request-id")) return FieldUse::kRequestId;
      return equals_ignore_case(name, "max-forwards") ? FieldUse::kForwards : FieldUse::kPass;
    default:
      return is_hop_field(name) ? FieldUse::kDrop : FieldUse::kPass;
  }
}

bool lists(std::string_view value, std::string_view wanted) {
  std::string_view element;
  while (next_element(value, element)) {
    if (equals_ignore_case(element, wanted)) return true;
  }
  return false;
}

class GatewayRequestWriter {
 public:
  GatewayRequestWriter(const GatewayRequest& request, std::string& out)
      : request_(request), head_(*request.head), base_(request.base), out_(out) {}

  GatewayVerdict write() {
    upgrade_ = forwards_upgrade(head_, base_);
    if (!find_options()) return GatewayVerdict::kTooManyNames;
    if (const auto verdict = look_at_forwards(); verdict != GatewayVerdict::kForward) {
      return verdict;
    }
    out_.clear();
    write_request_line();
    // An absolute target overrides Host (RFC 9112 3.2.2).
    absolute_ = base_[head_.target.offset] != '/' && head_.has_host;
    append_forwarded_ = !request_.keep_client_xff && request_.peer != "-";
    if (absolute_) write_field("Host", head_.host.in(base_));
    if (!head_.has_host) write_field("Host", request_.default_host);
    for (const HeaderField& field : head_.fields) {
      if (passes(field)) copy(field);
    }
    flush_run();
    if (append_forwarded_) write_forwarded_for();
    if (!request_.scheme.empty()) write_field("X-Forwarded-Proto", request_.scheme);
    write_own_fields();
    out_.append("\r\n");
    return GatewayVerdict::kForward;
  }

 private:
  bool find_options() {
    for (const HeaderField& field : head_.fields) {
      const std::string_view name = field.name.in(base_);
      if (name.size() == 10 && equals_ignore_case(name, "connection")) {
        if (!options_.add(field.value.in(base_))) return false;
      } else if (name.size() == 2 && equals_ignore_case(name, "te")) {
        trailers_wanted_ |= lists(field.value.in(base_), "trailers");
      } else if (equals_ignore_case(name, "x-forwarded-for") ||
                 equals_ignore_case(name, "x-forwarded-proto")) {
        plain_forwarded_ = true;
      }
    }
    return true;
  }

  // OPTIONS counts hops (RFC 9110 7.6.2); TRACE, which does too, the parser has refused.
  GatewayVerdict look_at_forwards() {
    const std::string_view method = head_.method.in(base_);
    if (method != "OPTIONS") return GatewayVerdict::kForward;
    for (const HeaderField& field : head_.fields) {
      if (use_of(field.name.in(base_)) != FieldUse::kForwards) continue;
      const std::optional<uint64_t> count = parse_length(field.value.in(base_));
      if (!count || counts_hops_) return GatewayVerdict::kBadForwards;
      if (*count == 0) return GatewayVerdict::kAnswerHere;
      counts_hops_ = true;
      hops_left_ = *count - 1;
    }
    return GatewayVerdict::kForward;
  }

  void write_request_line() {
    out_.append(head_.method.in(base_)).append(" ").append(head_.path.in(base_));
    if (head_.has_query) out_.append("?").append(head_.query.in(base_));
    out_.append(" HTTP/1.1\r\n");
  }

  void write_own_fields() {
    if (counts_hops_) write_field("Max-Forwards", std::to_string(hops_left_));
    if (request_.request_id != 0) {
      write_field("X-Request-Id", RequestIdText(request_.request_id).view());
    }
    if (request_.via) {
      write_field("Via", head_.minor_version == 0 ? "1.0 mongrel2" : "1.1 mongrel2");
    }
    if (upgrade_) {
      write_field("Upgrade", "websocket");
      write_field("Connection", "Upgrade");
    } else if (trailers_wanted_ && head_.minor_version != 0) {
      // Trailers of an answer are passed on, so that this may be said for the client.
      write_field("TE", "trailers");
      write_field("Connection", "TE");
    }
    if (head_.framing == BodyFraming::kChunked) write_field("Transfer-Encoding", "chunked");
  }

  bool passes(const HeaderField& field) {
    const std::string_view name = field.name.in(base_);
    if (!options_.empty() && options_.names(name)) return false;
    switch (use_of(name)) {
      case FieldUse::kPass:
        return true;
      case FieldUse::kDrop:
        return false;
      case FieldUse::kForwards:
        return !counts_hops_;
      case FieldUse::kExpect:  // only what a server of HTTP/1.1 may be asked, about a body
        return head_.expect_continue && head_.framing != BodyFraming::kNone;
      case FieldUse::kHost:
        return !absolute_;
      case FieldUse::kRequestId:
        return request_.request_id == 0;
      case FieldUse::kForwardedFor:
        client_forwarded_ = true;
        return !append_forwarded_;
      case FieldUse::kForwarding:
        return request_.peer_is_trusted;
      case FieldUse::kForwardedProto:
        return false;
      case FieldUse::kForwarded:  // beside the others it may be the client's own
        return request_.peer_is_trusted && !plain_forwarded_;
    }
    return true;
  }

  void write_field(std::string_view name, std::string_view value) {
    out_.append(name).append(": ").append(value).append("\r\n");
  }

  // A field written the usual way joins the run before it; others are written anew.
  void copy(const HeaderField& field) {
    const uint32_t name_end = field.name.offset + field.name.length;
    const uint32_t value_end = field.value.offset + field.value.length;
    const bool usual = field.value.offset == name_end + 2 && base_[name_end + 1] == ' ' &&
                       std::memcmp(base_ + value_end, "\r\n", 2) == 0;
    if (usual && field.name.offset == run_end_) {
      run_end_ = value_end + 2;
      return;
    }
    flush_run();
    if (usual) {
      run_begin_ = field.name.offset;
      run_end_ = value_end + 2;
    } else {
      write_field(field.name.in(base_), field.value.in(base_));
    }
  }

  void flush_run() {
    out_.append(base_ + run_begin_, run_end_ - run_begin_);
    run_begin_ = run_end_ = 0;
  }

  // What the client said about those before it, then the client itself. Last, so that its own
  // fields, however many, are one list.
  void write_forwarded_for() {
    out_.append("X-Forwarded-For: ");
    for (const HeaderField& field : head_.fields) {
      if (!client_forwarded_ || request_.peer_is_origin) break;
      const std::string_view name = field.name.in(base_);
      if (use_of(name) != FieldUse::kForwardedFor || field.value.empty()) continue;
      if (!options_.empty() && options_.names(name)) continue;
      out_.append(field.value.in(base_)).append(", ");
    }
    out_.append(request_.peer).append("\r\n");
  }

  const GatewayRequest& request_;
  const RequestHead& head_;
  const char* base_;
  std::string& out_;
  ConnectionOptions options_;
  uint64_t hops_left_ = 0;
  uint32_t run_begin_ = 0;  // bytes to copy as they stand
  uint32_t run_end_ = 0;
  bool absolute_ = false;
  bool append_forwarded_ = false;
  bool client_forwarded_ = false;  // the client sent an X-Forwarded-For of its own
  bool plain_forwarded_ = false;   // there is an X-Forwarded-For or X-Forwarded-Proto
  bool counts_hops_ = false;
  bool trailers_wanted_ = false;
  bool upgrade_ = false;
};

// Fields that mean something only in front of a body, RFC 9110 6.5.1.
bool may_trail(std::string_view name) {
  if (is_hop_field(name) || use_of(name) != FieldUse::kPass) return false;
  for (const std::string_view known :
       {"content-length", "content-encoding", "content-type", "content-range", "trailer", "via",
        "authorization", "cookie", "cache-control", "pragma", "range", "if-match", "if-none-match",
        "if-modified-since", "if-unmodified-since", "if-range", "from", "origin"}) {
    if (equals_ignore_case(name, known)) return false;
  }
  return true;
}

}  // namespace

GatewayVerdict write_gateway_request(const GatewayRequest& request, std::string& out) {
  return GatewayRequestWriter(request, out).write();
}

bool forwards_upgrade(const RequestHead& head, const char* base) {
  if (!head.upgrade || head.framing != BodyFraming::kNone) return false;
  const HeaderField* field = head.find(base, "upgrade");
  return field != nullptr && equals_ignore_case(field->value.in(base), "websocket");
}

bool connection_names_fields(const RequestHead& head, const char* base) {
  ConnectionOptions options;
  for (const HeaderField& field : head.fields) {
    if (field.name.length != 10 || !equals_ignore_case(field.name.in(base), "connection")) continue;
    if (!options.add(field.value.in(base))) return true;
  }
  return !options.empty();
}

void append_gateway_trailers(std::string_view raw, std::string& out) {
  // ChunkReader has seen that each line is a field and ends in CRLF.
  for (size_t end; (end = raw.find("\r\n")) != std::string_view::npos; raw.remove_prefix(end + 2)) {
    const std::string_view line = raw.substr(0, end);
    if (line.empty() || !may_trail(line.substr(0, line.find(':')))) continue;
    out.append(line).append("\r\n");
  }
  out.append("\r\n");
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace m2
