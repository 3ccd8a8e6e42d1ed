// Goal: valid JSON whatever goes in, in one form only. Method: documents compared byte for byte.
#include "common/json_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace m2 {
namespace {

TEST(JsonWriter, SetsCommasBetweenValuesOnly) {
  JsonWriter json;
  json.begin_object();
  json.key("a");
  json.number(1);
  json.key("b");
  json.begin_array();
  json.text("x");
  json.boolean(true);
  json.begin_object();
  json.end_object();
  json.end_array();
  json.key("c");
  json.begin_array();
  json.end_array();
  json.key("d");
  json.boolean(false);
  json.end_object();
  EXPECT_EQ(json.take(), R"({"a":1,"b":["x",true,{}],"c":[],"d":false})");
}

TEST(JsonWriter, IsEmptyAfterATake) {
  JsonWriter json;
  json.number(1);
  EXPECT_EQ(json.take(), "1");
  json.number(2);
  EXPECT_EQ(json.take(), "2");
}

TEST(JsonWriter, WritesTheWholeRangeOfNumbers) {
  JsonWriter json;
  json.begin_array();
  json.number(std::numeric_limits<int64_t>::min());
  json.number(std::numeric_limits<int64_t>::max());
  json.end_array();
  EXPECT_EQ(json.take(), "[-9223372036854775808,9223372036854775807]");
}

TEST(JsonWriter, EscapesWhatMustBeEscaped) {
  JsonWriter json;
  json.text(std::string_view("\"\\\n\r\t\x01\x1F\x7F\0/", 10));
  EXPECT_EQ(json.take(), R"("\"\\\n\r\t\u0001\u001f\u007f\u0000/")");
}

TEST(JsonWriter, KeepsUtf8AndReplacesOtherBytes) {
  JsonWriter json;
  json.text("\xC3\xA4 \xF0\x9F\x98\x80 \xC3 \xED\xA0\x80!");
  EXPECT_EQ(json.take(), "\"\xC3\xA4 \xF0\x9F\x98\x80 \\ufffd \\ufffd\\ufffd\\ufffd!\"");
}

}  // namespace
}  // namespace m2
