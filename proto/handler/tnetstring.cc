#include "proto/handler/tnetstring.h"

#include <charconv>
#include <string>

namespace m2 {

namespace {

constexpr size_t kSizeDigitsMax = 9;  // as the format has it
constexpr size_t kNumberMax = 32;     // characters of a number

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= kNumberMax &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_float(std::string_view text) {
  double number;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return text.size() <= kNumberMax && fault == std::errc() && end == text.data() + text.size();
}

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  // One value from at_ on, which may reach to `end`.
  bool value(size_t end, unsigned depth, TnetValue& out) {
    const size_t digits = at_;
    size_t size = 0;
    while (at_ < end && is_digit(text_[at_])) {
      if (at_ - digits == kSizeDigitsMax) return fail(digits, "a size of more than 9 digits");
      size = size * 10 + static_cast<unsigned>(text_[at_++] - '0');
    }
    if (at_ == digits) return fail(at_, "a size must be here, digits only");
    if (text_[digits] == '0' && at_ - digits > 1) return fail(digits, "a size begins with a zero");
    if (at_ == end || text_[at_] != ':') return fail(at_, "':' must follow the size");
    const size_t start = ++at_;
    if (size >= end - start) return fail(digits, "the size is beyond the value");
    const size_t tag_at = start + size;
    out = {static_cast<TnetValue::Kind>(text_[tag_at]), text_.substr(start, size)};
    if (!content(out, tag_at, depth)) return false;
    at_ = tag_at + 1;
    return true;
  }
  bool fail(size_t at, std::string_view what) {
    reason_ = "tnetstring, byte " + std::to_string(at + 1) + ": " + std::string(what);
    return false;
  }
  size_t at() const { return at_; }
  const std::string& reason() const { return reason_; }

 private:
  bool content(const TnetValue& value, size_t tag_at, unsigned depth) {
    switch (value.kind) {
      case TnetValue::Kind::kText:
        return true;
      case TnetValue::Kind::kInteger:
        return is_integer(value.data) || fail(at_, "not a whole number");
      case TnetValue::Kind::kFloat:
        return is_float(value.data) || fail(at_, "not a number");
      case TnetValue::Kind::kBoolean:
        return value.data == "true" || value.data == "false" || fail(at_, "not true or false");
      case TnetValue::Kind::kNull:
        return value.data.empty() || fail(at_, "null with a content");
      case TnetValue::Kind::kDict:
      case TnetValue::Kind::kList:
        return elements(value.kind == TnetValue::Kind::kDict, tag_at, depth);
    }
    return fail(tag_at, "an unknown tag");
  }
  bool elements(bool dict, size_t end, unsigned depth) {
    if (depth == kTnetDepthMax) return fail(at_, "lists within lists without end");
    bool key = true;
    while (at_ < end) {
      TnetValue element;
      const size_t start = at_;
      if (!value(end, depth + 1, element)) return false;
      if (dict && key && !element.is(TnetValue::Kind::kText)) {
        return fail(start, "a key must be a text");
      }
      key = !key;
    }
    return !dict || key || fail(end, "a key without a value");
  }

  const std::string_view text_;
  size_t at_ = 0;
  std::string reason_;
};

}  // namespace

std::optional<uint64_t> TnetValue::unsigned_number() const {
  uint64_t number;
  const auto [end, fault] = std::from_chars(data.data(), data.data() + data.size(), number);
  if (kind != Kind::kInteger || fault != std::errc() || end != data.data() + data.size()) {
    return std::nullopt;
  }
  return number;
}

Result<TnetValue> parse_tnetstring(std::string_view text) {
  Checker checker(text);
  TnetValue value;
  if (!checker.value(text.size(), 0, value)) return Status::error(checker.reason());
  if (checker.at() != text.size()) {
    checker.fail(checker.at(), "something behind the value");
    return Status::error(checker.reason());
  }
  return value;
}

std::optional<TnetValue> next_tnet_value(std::string_view& data) {
  if (data.empty()) return std::nullopt;
  const size_t colon = data.find(':');
  size_t size = 0;
  for (const char c : data.substr(0, colon)) size = size * 10 + static_cast<unsigned>(c - '0');
  const TnetValue value{static_cast<TnetValue::Kind>(data[colon + 1 + size]),
                        data.substr(colon + 1, size)};
  data.remove_prefix(colon + 1 + size + 1);
  return value;
}

}  // namespace m2
