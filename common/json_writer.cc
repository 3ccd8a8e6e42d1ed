// Escapes, commas and numbers of the JSON writer.
#include "common/json_writer.h"

#include <charconv>
#include <utility>

#include "common/check.h"
#include "common/utf8.h"

namespace m2 {
namespace {

// Nothing to escape: printable ASCII but for the quote and the backslash.
bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

void append_escape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<uint8_t>(c);
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

}  // namespace

void JsonWriter::separate() {
  if (comma_due_) out_ += ',';
  comma_due_ = true;
}

void JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  ++depth_;
  comma_due_ = false;
}

void JsonWriter::close(char bracket) {
  CHECK(depth_ > 0);
  --depth_;
  out_ += bracket;
  comma_due_ = true;
}

void JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_ += ':';
  comma_due_ = false;
}

void JsonWriter::text(std::string_view value) {
  separate();
  quote(value);
}

void JsonWriter::number(int64_t value) {
  separate();
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out_.append(digits, end);
}

void JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::quote(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    size_t plain = 0;
    while (plain < value.size() && is_plain(value[plain])) ++plain;
    out_ += value.substr(0, plain);
    value.remove_prefix(plain);
    if (value.empty()) break;
    const size_t length = utf8_length(value);
    if (length > 1) {
      out_ += value.substr(0, length);
    } else if (length == 1) {
      append_escape(out_, value.front());
    } else {
      out_ += "\\ufffd";
    }
    value.remove_prefix(length > 1 ? length : 1);
  }
  out_ += '"';
}

std::string JsonWriter::take() {
  CHECK(depth_ == 0);
  comma_due_ = false;
  return std::exchange(out_, {});
}

}  // namespace m2
