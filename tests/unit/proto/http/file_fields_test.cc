// Goal: the fields that concern a file are found whatever their case, alone or several times, and
// others are not. Method: whole heads through the parser.
#include "proto/http/file_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/http/request_parser.h"

namespace m2 {
namespace {

class FileFieldsTest : public testing::Test {
 protected:
  const FileFields& fields_of(const std::string& lines) {
    bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
    RequestParser parser{ParserLimits()};
    EXPECT_EQ(parser.parse(bytes, head), ParseState::kComplete);
    fields = std::make_unique<FileFields>(head, bytes.data());
    return *fields;
  }
  std::string bytes;
  RequestHead head;
  std::unique_ptr<FileFields> fields;
};

TEST_F(FileFieldsTest, Nothing) {
  const FileFields& none = fields_of("User-Agent: x\r\nRangeX: 1\r\nIf-Rangex: 1\r\n");
  EXPECT_FALSE(none.conditional);
  for (const std::string_view value : {none.range, none.if_range, none.accept_encoding,
                                       none.conditions.if_match, none.conditions.if_none_match}) {
    EXPECT_EQ(value.data(), nullptr);
  }
}

TEST_F(FileFieldsTest, EachOnce) {
  const FileFields& all = fields_of(
      "RANGE: r\r\nif-range: ir\r\nAccept-Encoding: ae\r\nIf-Match: m\r\nIF-NONE-MATCH: n\r\n"
      "If-Modified-Since: ms\r\nIf-Unmodified-Since:\r\n");
  EXPECT_EQ(all.range, "r");
  EXPECT_EQ(all.if_range, "ir");
  EXPECT_EQ(all.accept_encoding, "ae");
  EXPECT_EQ(all.conditions.if_match, "m");
  EXPECT_EQ(all.conditions.if_none_match, "n");
  EXPECT_EQ(all.conditions.if_modified_since, "ms");
  EXPECT_EQ(all.conditions.if_unmodified_since, "");
  EXPECT_NE(all.conditions.if_unmodified_since.data(), nullptr);  // there, and empty
  EXPECT_TRUE(all.conditional);
}

TEST_F(FileFieldsTest, SeveralTimesIsOneList) {
  const FileFields& joined = fields_of(
      "If-None-Match: \"a\"\r\nAccept-Encoding: br\r\nif-none-match: \"b\"\r\nRange: bytes=0-1\r\n"
      "If-None-Match: \"c\"\r\nRange: bytes=2-3\r\nAccept-Encoding: gzip\r\n");
  EXPECT_EQ(joined.conditions.if_none_match, "\"a\", \"b\", \"c\"");
  EXPECT_EQ(joined.range, "bytes=0-1, bytes=2-3");
  EXPECT_EQ(joined.accept_encoding, "br, gzip");
}

}  // namespace
}  // namespace m2
