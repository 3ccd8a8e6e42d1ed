// Goal: whatever bytes go in, valid JSON text in valid UTF-8 comes out, of the size that was
// foretold. Method: tables, and each special byte at every distance from the ends, where blocks of
// bytes are looked at at once.
#include "proto/handler/json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

std::string escaped(const std::string& text) {
  std::string out(json_text_size(text), '?');
  const char* end = write_json_text(out.data(), text);
  EXPECT_EQ(end, out.data() + out.size()) << text;
  return out;
}

TEST(JsonText, PlainTextStays) {
  for (size_t size = 0; size < 70; ++size) {
    const std::string text = std::string(70, '~').replace(0, 10, " !#[]^_`az").substr(0, size);
    EXPECT_EQ(escaped(text), text);
  }
}

TEST(JsonText, Escapes) {
  EXPECT_EQ(escaped("a\"b\\c\ttab"), "a\\\"b\\\\c\\u0009tab");
  EXPECT_EQ(escaped(std::string(1, '\0')), "\\u0000");
  EXPECT_EQ(escaped("\r\n\x1f\x7f"), "\\u000d\\u000a\\u001f\\u007f");
}

TEST(JsonText, WellFormedUtf8Stays) {
  for (const std::string text :
       {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xc3\xa4rger \xe2\x82\xac \xf0\x9f\x98\x80"}) {
    EXPECT_EQ(escaped(text), text);
  }
}

TEST(JsonText, StrayBytesAreEscaped) {
  EXPECT_EQ(escaped("\x80"), "\\u0080");
  EXPECT_EQ(escaped("\xe4rger"), "\\u00e4rger");     // Latin-1
  EXPECT_EQ(escaped("\xc0\xaf"), "\\u00c0\\u00af");  // overlong
  EXPECT_EQ(escaped("\xc1\xbf"), "\\u00c1\\u00bf");
  EXPECT_EQ(escaped("\xe0\x9f\xbf"), "\\u00e0\\u009f\\u00bf");
  EXPECT_EQ(escaped("\xf0\x8f\xbf\xbf"), "\\u00f0\\u008f\\u00bf\\u00bf");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080");             // surrogate
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\u00f4\\u0090\\u0080\\u0080");  // above U+10FFFF
  EXPECT_EQ(escaped("\xf5\xff"), "\\u00f5\\u00ff");
  EXPECT_EQ(escaped("\xe2\x82"), "\\u00e2\\u0082");  // cut off
  EXPECT_EQ(escaped("\xe2\x82x"), "\\u00e2\\u0082x");
  EXPECT_EQ(escaped("\xc3\xc3\xa4"), "\\u00c3\xc3\xa4");  // in step again at once
}

TEST(JsonText, EveryPlaceIsLookedAt) {
  for (size_t size = 1; size < 50; ++size) {
    for (size_t place = 0; place < size; ++place) {
      std::string text(size, 'x');
      text[place] = '"';
      std::string expected(size, 'x');
      expected.replace(place, 1, "\\\"");
      EXPECT_EQ(escaped(text), expected);
      text[place] = '\xff';
      expected.replace(place, 2, "\\u00ff");
      EXPECT_EQ(escaped(text), expected);
    }
  }
}

}  // namespace
}  // namespace m2
