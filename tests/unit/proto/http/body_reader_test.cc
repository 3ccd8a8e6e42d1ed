// Goal: a body comes out without its framing, nothing behind it is touched, and bad framing is
// refused. Method: bodies read whole and in every step size; tables of good and bad chunked bodies.
#include "proto/http/body_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace m2 {
namespace {

struct Outcome {
  bool done = false;
  bool failed = false;
  std::string body;
  std::string reason;
  size_t used = 0;

  bool operator==(const Outcome&) const = default;
};

// The input arrives in steps; what was not used is offered again with more behind it.
Outcome read(BodyFraming framing, uint64_t length, std::string_view input, size_t step) {
  BodyReader reader;
  reader.start(framing, length);
  Outcome outcome;
  for (size_t arrived = 0; arrived < input.size() && !reader.done() && !reader.failed();) {
    arrived = std::min(arrived + step, input.size());
    while (!reader.done() && !reader.failed()) {
      const BodyReader::Step got = reader.read(input.substr(outcome.used, arrived - outcome.used));
      outcome.used += got.used;
      outcome.body += got.data;
      if (got.used == 0) break;
    }
  }
  outcome.done = reader.done();
  outcome.failed = reader.failed();
  outcome.reason = reader.reason();
  return outcome;
}

Outcome read_chunked(std::string_view input) {
  const Outcome whole = read(BodyFraming::kChunked, 0, input, input.size() + 1);
  for (const size_t step : {1, 2, 3, 5, 17}) {
    EXPECT_TRUE(read(BodyFraming::kChunked, 0, input, step) == whole) << step << ": " << input;
  }
  return whole;
}

void expect_body(const std::string& input, std::string_view body) {
  const Outcome outcome = read_chunked(input + "GET / HTTP/1.1\r\n");
  EXPECT_TRUE(outcome.done) << outcome.reason << '\n' << input;
  EXPECT_EQ(outcome.body, body);
  EXPECT_EQ(outcome.used, input.size());
}

void expect_bad(std::string_view input, std::string_view reason_part) {
  const Outcome outcome = read_chunked(input);
  EXPECT_TRUE(outcome.failed) << input;
  EXPECT_FALSE(outcome.done);
  EXPECT_NE(outcome.reason.find(reason_part), std::string::npos) << outcome.reason << '\n' << input;
}

TEST(BodyReader, NoBodyIsDoneAtOnce) {
  BodyReader reader;
  reader.start(BodyFraming::kNone, 0);
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.read("next").used, 0u);
  reader.start(BodyFraming::kLength, 0);
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.read("next").used, 0u);
}

TEST(BodyReader, ContentLength) {
  for (const size_t step : {1, 3, 100}) {
    const Outcome outcome = read(BodyFraming::kLength, 7, "1234567next", step);
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.body, "1234567");
    EXPECT_EQ(outcome.used, 7u);
  }
  BodyReader reader;
  reader.start(BodyFraming::kLength, uint64_t{1} << 62);
  EXPECT_EQ(reader.read("12345").data, "12345");
  EXPECT_EQ(reader.remaining(), (uint64_t{1} << 62) - 5);
  EXPECT_FALSE(reader.done());
  EXPECT_FALSE(reader.chunked());
}

TEST(BodyReader, DataIsAPieceOfTheInput) {
  BodyReader reader;
  reader.start(BodyFraming::kChunked, 0);
  const std::string input = "3\r\nabc\r\n0\r\n\r\n";
  const BodyReader::Step step = reader.read(input);
  EXPECT_EQ(step.data.data(), input.data() + 3);
  EXPECT_EQ(step.data, "abc");
  EXPECT_TRUE(reader.chunked());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(BodyReader, Chunked) {
  expect_body("0\r\n\r\n", "");
  expect_body("5\r\nhello\r\n0\r\n\r\n", "hello");
  expect_body("5\r\nhello\r\n7\r\n, world\r\n00\r\n\r\n", "hello, world");
  expect_body("A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
              "0123456789\r\n\r\n\r\n\r\n\r\n");
  expect_body("1f\r\n" + std::string(31, 'x') + "\r\n0\r\n\r\n", std::string(31, 'x'));
  expect_body("0000000000000002\r\nab\r\n0000000000000000\r\n\r\n", "ab");
  expect_body("2;a=b\r\nxy\r\n0;last\r\n\r\n", "xy");
  expect_body("2 \t ; a=\"q\xc3\xa9; \"\r\nxy\r\n0\r\n\r\n", "xy");
  expect_body(
      "2;" + std::string(255, 'e') + "\r\nxy\r\n2;" + std::string(255, 'e') + "\r\nab\r\n0\r\n\r\n",
      "xyab");
  expect_body("0\r\nA: b\r\nC-d:\r\nE:\tf: g\xff \r\n\r\n", "");
  expect_body("0\r\nA: " + std::string(4096 - 4, 'x') + "\r\n\r\n", "");
}

TEST(BodyReader, BadChunkSizes) {
  expect_bad("\r\n", "not a hexadecimal number");
  expect_bad("g\r\n", "not a hexadecimal number");
  expect_bad(" 5\r\nhello\r\n", "not a hexadecimal number");
  expect_bad("-5\r\n", "not a hexadecimal number");
  expect_bad("+5\r\n", "not a hexadecimal number");
  expect_bad(";a\r\n", "not a hexadecimal number");
  expect_bad("0x5\r\nhello", "neither CRLF nor ';'");
  expect_bad("5,5\r\n", "neither CRLF nor ';'");
  expect_bad("5\nhello", "neither CRLF nor ';'");
  expect_bad("5 \r\nhello", "without ';'");
  expect_bad("5 5\r\nhello", "without ';'");
  expect_bad("5\rhello", "CR without LF");
  expect_bad("8000000000000000\r\n", "above 2^63");
  expect_bad("ffffffffffffffff\r\n", "above 2^63");
  expect_bad("00000000000000005\r\nhello", "more than 16 digits");
  // The largest there is, is taken.
  EXPECT_FALSE(read_chunked("7fffffffffffffff\r\nabc").failed);
}

TEST(BodyReader, BadChunkEndsAndExtensions) {
  expect_bad("5\r\nhello!\r\n", "longer than its size");
  expect_bad("5\r\nhello\n0\r\n\r\n", "longer than its size");
  expect_bad("5\r\nhello\r0\r\n\r\n", "CR without LF");
  expect_bad("5\r\nhello0\r\n\r\n", "longer than its size");
  expect_bad("5;a\nhello\r\n", "not allowed in a chunk extension");
  expect_bad("5;a\rb\r\nhello\r\n", "CR without LF");
  expect_bad(std::string_view("5;a\0\r\n", 6), "not allowed in a chunk extension");
  expect_bad("5;" + std::string(256, 'e') + "\r\n", "more than 256 bytes");
  expect_bad("5" + std::string(257, ' '), "more than 256 bytes");
}

// RFC 9112 7.1.1: each rule of the grammar, taken and broken.
TEST(BodyReader, ChunkExtensions) {
  for (const char* extensions :
       {";a", ";!#$%&'*+-.^_`|~09aZ", ";a=b", ";a=\"\"", ";a=\"b\"", ";a=\"b;c=d, \t\xff\"",
        ";a=\"\\\"\\\\\"", ";a;b", ";a=b;c=\"d\";e", " ; a", "\t;\ta \t= \t b ;c", ";a=\"b\" ;c",
        ";a=\"b\" \t;c", ";a ;b", "  ;a = \"b\""}) {
    expect_body(std::string("5") + extensions + "\r\nhello\r\n0" + extensions + "\r\n\r\n",
                "hello");
  }
  const struct {
    const char* extensions;
    const char* reason;
  } rows[] = {
      {";", "without a name"},
      {"; ", "without a name"},
      {";;", "without a name"},
      {";;a", "without a name"},
      {";a;", "without a name"},
      {";a;;b", "without a name"},
      {";=", "without a name"},
      {";=b", "without a name"},
      {";\"a\"", "without a name"},
      {";\x01", "without a name"},
      {";a=", "no value"},
      {";a= ", "no value"},
      {";a=;b", "no value"},
      {";a==b", "no value"},
      {";a=,", "no value"},
      {";a=\"x", "without end"},
      {";a=\"x\\\"", "without end"},
      {";a=\"x\\", "without end"},
      {";a=\"x\x7f\"", "control byte"},
      {";a=\"x\\\x01\"", "control byte"},
      {";a=\"x\"y", "not allowed"},
      {";a=\"x\"\"y\"", "not allowed"},
      {";a=\"x\"=y", "not allowed"},
      {";a=b=c", "not allowed"},
      {";a,b", "not allowed"},
      {";a\"b\"", "not allowed"},
      {";a/b", "not allowed"},
      {";a=\xc3\xa9", "no value"},
      {";\xc3\xa9", "without a name"},
      {" ", "without ';'"},
      {" a", "without ';'"},
      {" =a", "without ';'"},
      {";a ", "without ';'"},
      {";a b", "without ';'"},
      {";a=b ", "without ';'"},
      {";a=b c", "without ';'"},
      {";a=b =c", "without ';'"},
      {";a=\"b\" c", "without ';'"},
  };
  for (const auto& row : rows) {
    expect_bad(std::string("5") + row.extensions + "\r\nhello\r\n", row.reason);
    expect_bad(std::string("0") + row.extensions + "\r\n\r\n", row.reason);
  }
}

TEST(BodyReader, BadTrailers) {
  expect_bad("0\r\nno colon\r\n\r\n", "not a field");
  expect_bad("0\r\nnocolon\r\n\r\n", "not a field");
  expect_bad("0\r\n: x\r\n\r\n", "not a field");
  expect_bad("0\r\nA : x\r\n\r\n", "not a field");
  expect_bad("0\r\nA: x\r\n folded\r\n\r\n", "not a field");
  expect_bad("0\r\n\n", "not a field");
  expect_bad("0\r\nA: x\n\r\n", "control byte in a trailer");
  expect_bad("0\r\nA: x\ry\r\n", "CR without LF");
  expect_bad("0\r\n\rx", "CR without LF");
  expect_bad("0\r\nA: " + std::string(4096 - 3, 'x') + "\r\n\r\n", "more than 4096 bytes");
  std::string many = "0\r\n";
  for (int i = 0; i < 1500; ++i) many += "A:x\r\n";
  expect_bad(many, "more than 4096 bytes");
}

TEST(BodyReader, CutOffIsNeitherDoneNorFailed) {
  const std::string body = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
  for (size_t size = 0; size < body.size(); ++size) {
    const Outcome outcome = read_chunked(std::string_view(body).substr(0, size));
    EXPECT_FALSE(outcome.done) << size;
    EXPECT_FALSE(outcome.failed) << size;
    EXPECT_EQ(outcome.used, size);
  }
}

TEST(BodyReader, FailureStandsAtTheBadByte) {
  EXPECT_EQ(read_chunked("5\r\nhello\r\nzz\r\n").used, 10u);
}

TEST(BodyReader, CountsWhatItUsed) {
  BodyReader reader;
  reader.start(BodyFraming::kChunked, 0);
  for (const std::string_view piece : {"5;x=y\r\nhe", "llo\r", "\nzz"}) {
    for (std::string_view rest = piece; !rest.empty();) {
      const size_t used = reader.read(rest).used;
      if (used == 0) break;
      rest.remove_prefix(used);
    }
  }
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.used(), 14u);  // where the bad byte is
  reader.start(BodyFraming::kLength, 3);
  EXPECT_EQ(reader.used(), 0u);
  reader.read("abcdef");
  EXPECT_EQ(reader.used(), 3u);
}

TEST(BodyReader, StartsAgainAfterAFailure) {
  BodyReader reader;
  reader.start(BodyFraming::kChunked, 0);
  reader.read("zz");
  ASSERT_TRUE(reader.failed());
  reader.start(BodyFraming::kChunked, 0);
  EXPECT_FALSE(reader.failed());
  EXPECT_EQ(reader.read("2\r\nab").data, "ab");
  reader.start(BodyFraming::kNone, 0);
  EXPECT_TRUE(reader.done());
}

}  // namespace
}  // namespace m2
