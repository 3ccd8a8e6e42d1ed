// Requests and disconnect notices for handlers. Two passes over the same layout: the first counts,
// so that every netstring knows its size before it is written; the second writes each byte once,
// into its final place. Layout and order of keys: docs/handler-protocol.md.
#include "proto/handler/request_writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/check.h"
#include "proto/handler/field_groups.h"
#include "proto/handler/json_text.h"
#include "proto/handler/netstring.h"

namespace m2 {

namespace {

// What a header block is made of.
struct Parts {
  std::string_view path, method, version, query, fragment, pattern, scheme, remote_addr;
  bool has_query;
  bool has_fragment;
  bool adds_forwarded_for;      // with remote_addr
  std::string_view request_id;  // "": none
  const FieldGroups& fields;
  std::span<const ExtraField> extra;
};

size_t decimal_size(size_t number) {
  size_t digits = 1;
  for (; number >= 10; number /= 10) ++digits;
  return digits;
}

size_t netstring_size(size_t data_size) { return decimal_size(data_size) + 1 + data_size + 1; }

// Which texts of a layout need no escape, in order: noted by the first pass, used by the second.
// Those beyond its room are looked at again.
class CleanTexts {
 public:
  void note(bool clean) {
    if (count_ < kTextsMax) clean_[count_] = clean;
    ++count_;
  }
  void rewind() { count_ = 0; }
  bool next() {
    const size_t i = count_++;
    return i < kTextsMax && clean_[i];
  }

 private:
  static constexpr size_t kTextsMax = 128;
  bool clean_[kTextsMax];
  size_t count_ = 0;
};

// The two passes take the same calls; what one counts, the other writes.
class Counter {
 public:
  explicit Counter(CleanTexts& clean) : clean_(clean) {}
  void raw(std::string_view text) { size_ += text.size(); }
  void json(std::string_view text) {
    const size_t size = json_text_size(text);
    clean_.note(size == text.size());
    size_ += size;
  }
  void lower(std::string_view name) { raw(name); }
  void lower_json(std::string_view name) { json(name); }
  void decimal(size_t number) { size_ += decimal_size(number); }
  void value_begins() {}
  void value_ends() {}
  size_t size() const { return size_; }

 private:
  CleanTexts& clean_;
  size_t size_ = 0;
};

class Writer {
 public:
  static constexpr size_t kSlack = 16;  // room that must be there behind what will be written

  Writer(char* to, CleanTexts& clean) : clean_(clean), to_(to) { clean_.rewind(); }
  void raw(std::string_view text) { to_ = std::copy(text.begin(), text.end(), to_); }
  void json(std::string_view text) {
    if (clean_.next()) return raw(text);
    to_ = write_json_text(to_, text);
  }
  void lower(std::string_view name) {
    char* const start = to_;
    raw(name);
    make_lower(start);
  }
  // Escapes hold no capitals, they stand the lowering.
  void lower_json(std::string_view name) {
    char* const start = to_;
    json(name);
    make_lower(start);
  }
  void decimal(size_t number) { to_ = std::to_chars(to_, to_ + 20, number).ptr; }
  void value_begins() { value_at_ = to_; }
  void value_ends() { value_end_ = to_; }
  const char* end() const { return to_; }
  const char* value_at() const { return value_at_; }
  const char* value_end() const { return value_end_; }

 private:
  // In whole blocks, of which the last may reach into what is not written yet.
  void make_lower(char* name) {
    using Block = signed char __attribute__((vector_size(kSlack)));
    for (; name < to_; name += kSlack) {
      Block block;
      std::memcpy(&block, name, kSlack);
      block |= (block >= 'A') & (block <= 'Z') & 0x20;
      std::memcpy(name, &block, kSlack);
    }
  }
  CleanTexts& clean_;
  char* to_;
  const char* value_at_ = nullptr;
  const char* value_end_ = nullptr;
};

// {"PATH":"/a","x-forwarded-for":"1.2.3.4","host":"a.b","accept":["x","y"],"METHOD":"GET",...}
template <typename Sink>
class JsonBlock {
 public:
  explicit JsonBlock(Sink& sink) : sink_(sink) {}

  void put(const Parts& parts) {
    pair("{\"PATH\":", parts.path);
    if (parts.adds_forwarded_for) pair(",\"x-forwarded-for\":", parts.remote_addr);
    parts.fields.for_each([&](const FieldGroups::Field& first) { group(parts.fields, first); });
    for (const ExtraField& field : parts.extra) {
      sink_.raw(",\"");
      sink_.raw(field.name);
      sink_.raw("\":");
      sink_.value_begins();
      string(field.value);
      sink_.value_ends();
    }
    if (!parts.request_id.empty()) pair(",\"REQUEST_ID\":", parts.request_id);
    pair(",\"METHOD\":", parts.method);
    pair(",\"VERSION\":", parts.version);
    sink_.raw(",\"URI\":\"");
    sink_.json(parts.path);
    if (parts.has_query) {
      sink_.raw("?");
      sink_.json(parts.query);
    }
    sink_.raw("\"");
    if (parts.has_query) pair(",\"QUERY\":", parts.query);
    if (parts.has_fragment) pair(",\"FRAGMENT\":", parts.fragment);
    pair(",\"PATTERN\":", parts.pattern);
    pair(",\"URL_SCHEME\":", parts.scheme);
    pair(",\"REMOTE_ADDR\":", parts.remote_addr);
    sink_.raw("}");
  }

 private:
  void pair(std::string_view key, std::string_view value) {
    sink_.raw(key);
    string(value);
  }
  void string(std::string_view value) {
    sink_.raw("\"");
    sink_.json(value);
    sink_.raw("\"");
  }
  void group(const FieldGroups& fields, const FieldGroups::Field& first) {
    sink_.raw(",\"");
    sink_.lower_json(fields.name(first));
    sink_.raw("\":");
    if (first.next == nullptr) return string(fields.value(first));
    sink_.raw("[");
    string(fields.value(first));
    for (const FieldGroups::Field* field = first.next; field != nullptr; field = field->next) {
      sink_.raw(",");
      string(fields.value(*field));
    }
    sink_.raw("]");
  }
  Sink& sink_;
};

// 11:REMOTE_ADDR,7:1.2.3.4,6:METHOD,3:GET,...4:host,3:a.b,6:accept,8:1:x,1:y,]
template <typename Sink>
class TnetBlock {
 public:
  explicit TnetBlock(Sink& sink) : sink_(sink) {}

  void put(const Parts& parts) {
    pair("11:REMOTE_ADDR,", parts.remote_addr);
    pair("6:METHOD,", parts.method);
    if (!parts.request_id.empty()) pair("10:REQUEST_ID,", parts.request_id);
    pair("10:URL_SCHEME,", parts.scheme);
    pair("7:PATTERN,", parts.pattern);
    if (parts.has_fragment) pair("8:FRAGMENT,", parts.fragment);
    if (parts.has_query) pair("5:QUERY,", parts.query);
    sink_.raw("3:URI,");
    sink_.decimal(parts.path.size() + (parts.has_query ? 1 + parts.query.size() : 0));
    sink_.raw(":");
    sink_.raw(parts.path);
    if (parts.has_query) {
      sink_.raw("?");
      sink_.raw(parts.query);
    }
    sink_.raw(",");
    pair("7:VERSION,", parts.version);
    pair("4:PATH,", parts.path);
    for (const ExtraField& field : parts.extra) {
      string(field.name);
      sink_.value_begins();
      string(field.value);
      sink_.value_ends();
    }
    if (parts.adds_forwarded_for) pair("15:x-forwarded-for,", parts.remote_addr);
    parts.fields.for_each([&](const FieldGroups::Field& first) { group(parts.fields, first); });
  }

 private:
  void pair(std::string_view key, std::string_view value) {
    sink_.raw(key);
    string(value);
  }
  void string(std::string_view value) {
    sink_.decimal(value.size());
    sink_.raw(":");
    sink_.raw(value);
    sink_.raw(",");
  }
  void group(const FieldGroups& fields, const FieldGroups::Field& first) {
    sink_.decimal(fields.name(first).size());
    sink_.raw(":");
    sink_.lower(fields.name(first));
    sink_.raw(",");
    if (first.next == nullptr) return string(fields.value(first));
    size_t list_size = 0;
    for (const FieldGroups::Field* field = &first; field != nullptr; field = field->next) {
      list_size += netstring_size(fields.value(*field).size());
    }
    sink_.decimal(list_size);
    sink_.raw(":");
    for (const FieldGroups::Field* field = &first; field != nullptr; field = field->next) {
      string(fields.value(*field));
    }
    sink_.raw("]");
  }
  Sink& sink_;
};

template <template <typename> class Block>
RequestPlaces write_as(const HandlerRequest& request, const Parts& parts, char block_tag,
                       std::string& out) {
  CleanTexts clean;
  Counter counter(clean);
  Block<Counter>(counter).put(parts);
  const size_t block_size = counter.size();
  char id_digits[20];
  const std::string_view id(id_digits,
                            std::to_chars(id_digits, id_digits + 20, request.id).ptr - id_digits);
  // "IDENT ID PATH SIZE:BLOCK,SIZE:" and then "BODY,".
  const size_t head_size = request.send_ident.size() + 1 + id.size() + 1 + parts.path.size() + 1 +
                           netstring_size(block_size) + decimal_size(request.body.size()) + 1;
  const size_t total = head_size + std::max(request.body.size() + 1, Writer::kSlack);
  if (out.capacity() < total) {
    out.clear();  // nothing to carry over
    out.reserve(total);
  }
  out.resize(head_size + Writer::kSlack);
  Writer writer(out.data(), clean);
  writer.raw(request.send_ident);
  writer.raw(" ");
  writer.raw(id);
  writer.raw(" ");
  writer.raw(parts.path);
  writer.raw(" ");
  const auto offset = [&out](const char* place) { return static_cast<size_t>(place - out.data()); };
  RequestPlaces places;
  places.block_size_at = offset(writer.end());
  writer.decimal(block_size);
  writer.raw(":");
  places.block_at = offset(writer.end());
  Block<Writer>(writer).put(parts);
  places.block_end = offset(writer.end());
  if (writer.value_at() != nullptr) {
    places.value_at = offset(writer.value_at());
    places.value_end = offset(writer.value_end());
  }
  writer.raw({&block_tag, 1});
  writer.decimal(request.body.size());
  writer.raw(":");
  CHECK(writer.end() == out.data() + head_size);
  out.resize(head_size);
  out.append(request.body);
  out.push_back(',');
  return places;
}

}  // namespace

RequestPlaces write_request(const HandlerRequest& request, HeaderFormat format, std::string& out) {
  const RequestHead& head = *request.head;
  const FieldGroups fields(request.base, head.fields, request.keep_client_xff);
  const RequestIdText id(request.request_id);
  const Parts parts{
      .path = head.path.in(request.base),
      .method = request.method.empty() ? head.method.in(request.base) : request.method,
      .version = head.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1",
      .query = head.query.in(request.base),
      .fragment = head.fragment.in(request.base),
      .pattern = request.pattern,
      .scheme = request.scheme,
      .remote_addr = request.remote_addr,
      .has_query = head.has_query,
      .has_fragment = head.has_fragment,
      .adds_forwarded_for = !request.keep_client_xff,
      .request_id = request.request_id == 0 ? std::string_view() : id.view(),
      .fields = fields,
      .extra = request.extra,
  };
  if (format == HeaderFormat::kTnetstring) {
    return write_as<TnetBlock>(request, parts, '}', out);
  }
  return write_as<JsonBlock>(request, parts, ',', out);
}

void write_piece_head(const HandlerPiece& piece, HeaderFormat format, std::string& out) {
  std::string block;
  for (const ExtraField& key : piece.keys) {
    if (format == HeaderFormat::kTnetstring) {
      append_netstring(block, key.name);
      append_netstring(block, key.value);
    } else {
      block.append(block.empty() ? "{\"" : ",\"").append(key.name).append("\":\"");
      block.append(key.value).append("\"");
    }
  }
  if (format == HeaderFormat::kJson) block += '}';
  out.assign(piece.send_ident);
  out += ' ';
  append_decimal(out, piece.id);
  out += ' ';
  out += piece.path;
  out += ' ';
  append_netstring(out, block, format == HeaderFormat::kTnetstring ? '}' : ',');
  append_decimal(out, piece.body_bytes);
  out += ':';
}

namespace {

void begin_notice(std::string_view send_ident, ConnectionId id, std::string& out) {
  out.assign(send_ident);
  out.push_back(' ');
  append_decimal(out, id);
  out.append(" @* ");
}

}  // namespace

void write_disconnect(std::string_view send_ident, ConnectionId id, HeaderFormat format,
                      std::string& out) {
  begin_notice(send_ident, id, out);
  if (format == HeaderFormat::kTnetstring) {
    append_netstring(out, "6:METHOD,4:JSON,", '}');
  } else {
    append_netstring(out, "{\"METHOD\":\"JSON\"}");
  }
  append_netstring(out, "{\"type\":\"disconnect\"}");
}

void write_credits(std::string_view send_ident, ConnectionId id, uint64_t bytes,
                   HeaderFormat format, std::string& out) {
  std::string number;
  append_decimal(number, bytes);
  begin_notice(send_ident, id, out);
  if (format == HeaderFormat::kTnetstring) {
    std::string block = "16:DOWNLOAD_CREDITS,";
    append_netstring(block, number);
    block += "6:METHOD,4:JSON,";
    append_netstring(out, block, '}');
  } else {
    append_netstring(out, "{\"METHOD\":\"JSON\",\"DOWNLOAD_CREDITS\":\"" + number + "\"}");
  }
  append_netstring(out, "{\"type\":\"credits\"}");
}

}  // namespace m2
