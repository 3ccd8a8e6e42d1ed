// Fuzzes RequestParser: no input breaks it, what it yields lies within the input, and the verdict
// does not depend on how the bytes are cut. First byte: the settings; second: where to cut.
#include "proto/http/request_parser.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "common/check.h"

namespace {

using m2::ParseState;

void check_slice(m2::Slice slice, size_t end) {
  CHECK(slice.offset <= end && slice.length <= end - slice.offset);
}

void check_head(const m2::RequestHead& head, const char* base, size_t end) {
  for (const m2::Slice slice :
       {head.method, head.target, head.path, head.query, head.fragment, head.host}) {
    check_slice(slice, end);
  }
  CHECK(!head.method.empty() && !head.path.empty());
  const char first = head.path.in(base).front();
  CHECK(first == '/' || first == '*');
  for (const m2::HeaderField& field : head.fields) {
    check_slice(field.name, end);
    check_slice(field.value, end);
    CHECK(!field.name.empty());
    CHECK(field.value.in(base).find_first_of("\r\n") == std::string_view::npos);
  }
}

// The bytes in a block of their own size, so that a look behind them is noticed.
ParseState parse_copy(m2::RequestParser& parser, std::string_view bytes, m2::RequestHead& head) {
  const auto copy = std::make_unique<char[]>(bytes.size());
  bytes.copy(copy.get(), bytes.size());
  return parser.parse({copy.get(), bytes.size()}, head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  m2::ParserLimits limits;
  limits.relaxed = (data[0] & 1) != 0;
  if ((data[0] & 2) != 0) limits.head_bytes = 64;
  if ((data[0] & 4) != 0) limits.header_count = 2;
  if ((data[0] & 8) != 0) limits.path_bytes = 8;
  const size_t step = data[1] % 16 + 1;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);

  m2::RequestParser whole(limits), split(limits);
  m2::RequestHead whole_head, split_head;
  const ParseState state = parse_copy(whole, input, whole_head);
  ParseState split_state = ParseState::kIncomplete;
  for (size_t arrived = 0; arrived < input.size() && split_state == ParseState::kIncomplete;) {
    arrived = arrived + step < input.size() ? arrived + step : input.size();
    split_state = parse_copy(split, input.substr(0, arrived), split_head);
  }
  CHECK(state == split_state);
  CHECK(whole.status() == split.status() && whole.reason() == split.reason());
  CHECK(whole.head_bytes() == split.head_bytes() && whole.head_bytes() <= input.size());
  if (state == ParseState::kIncomplete) CHECK(input.size() < limits.head_bytes);
  if (state == ParseState::kRefused) CHECK(whole.status() >= 400 && !whole.reason().empty());
  if (state == ParseState::kComplete) {
    check_head(whole_head, input.data(), whole.head_bytes());
    CHECK(whole_head.fields.size() == split_head.fields.size());
    CHECK(whole_head.framing == split_head.framing);
    CHECK(whole_head.content_length == split_head.content_length);
    CHECK(whole_head.keep_alive == split_head.keep_alive);
    CHECK(whole_head.path.in(input.data()) == split_head.path.in(input.data()));
    CHECK(whole_head.host.in(input.data()) == split_head.host.in(input.data()));
  }
  return 0;
}
