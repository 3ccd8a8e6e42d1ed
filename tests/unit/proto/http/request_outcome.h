// Reads requests whole and in pieces and says in words what came of it; for the tests of
// RequestParser.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http/request_parser.h"

namespace m2 {

struct Outcome {
  ParseState state = ParseState::kIncomplete;
  std::string head;  // describe()
  int status = 0;
  std::string reason;
  size_t position = 0;

  bool operator==(const Outcome&) const = default;
};

// "GET /path ?query #fragment @host HTTP/1.1 keep length=5 | Name=value | ..."
inline std::string describe(const RequestHead& head, const char* base) {
  const auto text = [base](Slice slice) { return std::string(slice.in(base)); };
  std::string out = text(head.method) + ' ' + text(head.path);
  if (head.has_query) out += " ?" + text(head.query);
  if (head.has_fragment) out += " #" + text(head.fragment);
  if (head.has_host) out += " @" + text(head.host);
  out += " HTTP/1." + std::to_string(head.minor_version) + (head.keep_alive ? " keep" : " close");
  if (head.framing == BodyFraming::kLength) out += " length=" + std::to_string(head.content_length);
  if (head.framing == BodyFraming::kChunked) out += " chunked";
  if (head.expect_continue) out += " 100-continue";
  if (head.expect_other) out += " 417";
  if (head.upgrade) out += " upgrade";
  for (const HeaderField& field : head.fields) {
    out += " | " + text(field.name) + '=' + text(field.value);
  }
  return out;
}

// Parses in steps of `step` bytes. Each call gets its bytes at another address, without one more.
inline Outcome parse(std::string_view input, const ParserLimits& limits, size_t step) {
  RequestParser parser(limits);
  RequestHead head;
  Outcome outcome;
  for (size_t size = std::min(step, input.size());; size = std::min(size + step, input.size())) {
    const std::vector<char> bytes(input.begin(), input.begin() + static_cast<ptrdiff_t>(size));
    outcome.state = parser.parse({bytes.data(), size}, head);
    if (outcome.state == ParseState::kComplete) outcome.head = describe(head, bytes.data());
    if (outcome.state != ParseState::kIncomplete || size == input.size()) break;
  }
  outcome.status = parser.status();
  outcome.reason = parser.reason();
  outcome.position = parser.head_bytes();
  return outcome;
}

inline Outcome parse_all_ways(std::string_view input, const ParserLimits& limits) {
  const Outcome whole = parse(input, limits, input.size());
  for (const size_t step : {1, 2, 3, 7}) {
    EXPECT_TRUE(parse(input, limits, step) == whole) << "in steps of " << step << ": " << input;
  }
  return whole;
}

inline void expect_head(const std::string& input, std::string_view head,
                        const ParserLimits& limits = {}) {
  // What follows the head is not touched.
  const Outcome outcome = parse_all_ways(input + "BODY\r\n\r\n", limits);
  ASSERT_EQ(outcome.state, ParseState::kComplete) << outcome.reason << '\n' << input;
  EXPECT_EQ(outcome.head, head);
  EXPECT_EQ(outcome.position, input.size()) << input;
}

inline void expect_refused(std::string_view input, int status, std::string_view reason_part,
                           const ParserLimits& limits = {}) {
  const Outcome outcome = parse_all_ways(input, limits);
  ASSERT_EQ(outcome.state, ParseState::kRefused) << input;
  EXPECT_EQ(outcome.status, status) << outcome.reason << '\n' << input;
  EXPECT_NE(outcome.reason.find(reason_part), std::string::npos) << outcome.reason << '\n' << input;
  EXPECT_LE(outcome.position, input.size());
}

inline std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}
inline std::string with(std::string_view fields, std::string_view version = "1.1") {
  return "POST / HTTP/" + std::string(version) + "\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

}  // namespace m2
