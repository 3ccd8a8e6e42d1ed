// Copies the fields of a request in pieces as large as they stand in what was received: most
// requests lose no field or one, so that most heads are one or two copies.
#include "proto/http/gateway_request.h"

#include <array>
#include <cstring>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

enum class FieldUse : uint8_t { kPass, kDrop, kHost, kForwardedFor };

// Fields that decide where a message goes or ends: a client's Connection field cannot remove them.
bool is_protected(std::string_view name) {
  return equals_ignore_case(name, "host") || equals_ignore_case(name, "content-length");
}

// Hop-by-hop whether or not Connection names them (RFC 9110 7.6.1, RFC 2616 13.5.1). Expect is
// answered by this server itself.
FieldUse use_of(std::string_view name) {
  const auto drop_if = [name](std::string_view lower) {
    return equals_ignore_case(name, lower) ? FieldUse::kDrop : FieldUse::kPass;
  };
  switch (name.size()) {
    case 2:
      return drop_if("te");
    case 4:
      return equals_ignore_case(name, "host") ? FieldUse::kHost : FieldUse::kPass;
    case 6:
      return drop_if("expect");
    case 7:
      return drop_if("upgrade");
    case 10:
      return equals_ignore_case(name, "keep-alive") ? FieldUse::kDrop : drop_if("connection");
    case 15:
      return equals_ignore_case(name, "x-forwarded-for") ? FieldUse::kForwardedFor
                                                         : FieldUse::kPass;
    case 16:
      return drop_if("proxy-connection");
    case 17:
      return drop_if("transfer-encoding");
    default:
      return FieldUse::kPass;
  }
}

class GatewayRequestWriter {
 public:
  GatewayRequestWriter(const GatewayRequest& request, std::string& out)
      : request_(request), head_(*request.head), base_(request.base), out_(out) {}

  bool write() {
    if (!find_options()) return false;
    out_.clear();
    write_request_line();
    // An absolute target overrides Host (RFC 9112 3.2.2).
    absolute_ = base_[head_.target.offset] != '/' && head_.has_host;
    append_forwarded_ = !request_.keep_client_xff && request_.peer != "-";
    if (absolute_) write_field("Host", head_.host.in(base_));
    for (const HeaderField& field : head_.fields) {
      if (passes(field)) copy(field);
    }
    flush_run();
    if (append_forwarded_) write_forwarded_for();
    if (head_.framing == BodyFraming::kChunked) write_field("Transfer-Encoding", "chunked");
    out_.append("\r\n");
    return true;
  }

 private:
  // Names in Connection fields, but for those that say what HTTP/1.1 does anyway.
  bool find_options() {
    for (const HeaderField& field : head_.fields) {
      if (field.name.length != 10 || !equals_ignore_case(field.name.in(base_), "connection")) {
        continue;
      }
      std::string_view list = field.value.in(base_), option;
      while (next_element(list, option)) {
        if (option.empty() || equals_ignore_case(option, "keep-alive") ||
            equals_ignore_case(option, "close") || is_protected(option)) {
          continue;
        }
        if (option_count_ == kConnectionOptionsMax) return false;
        options_[option_count_++] = option;
      }
    }
    return true;
  }

  bool named_in_connection(std::string_view name) const {
    for (size_t i = 0; i < option_count_; ++i) {
      if (options_[i].size() != name.size()) continue;
      size_t at = 0;
      while (at < name.size() && ascii_lower(name[at]) == ascii_lower(options_[i][at])) ++at;
      if (at == name.size()) return true;
    }
    return false;
  }

  void write_request_line() {
    out_.append(head_.method.in(base_)).append(" ").append(head_.path.in(base_));
    if (head_.has_query) out_.append("?").append(head_.query.in(base_));
    out_.append(head_.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  }

  bool passes(const HeaderField& field) {
    const std::string_view name = field.name.in(base_);
    if (option_count_ != 0 && named_in_connection(name)) return false;
    switch (use_of(name)) {
      case FieldUse::kPass:
        return true;
      case FieldUse::kDrop:
        return false;
      case FieldUse::kHost:
        return !absolute_;
      case FieldUse::kForwardedFor:
        client_forwarded_ = true;
        return !append_forwarded_;
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
      if (option_count_ != 0 && named_in_connection(name)) continue;
      out_.append(field.value.in(base_)).append(", ");
    }
    out_.append(request_.peer).append("\r\n");
  }

  const GatewayRequest& request_;
  const RequestHead& head_;
  const char* base_;
  std::string& out_;
  std::array<std::string_view, kConnectionOptionsMax> options_;
  size_t option_count_ = 0;
  uint32_t run_begin_ = 0;  // bytes to copy as they stand
  uint32_t run_end_ = 0;
  bool absolute_ = false;
  bool append_forwarded_ = false;
  bool client_forwarded_ = false;  // the client sent an X-Forwarded-For of its own
};

}  // namespace

bool write_gateway_request(const GatewayRequest& request, std::string& out) {
  return GatewayRequestWriter(request, out).write();
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace m2
