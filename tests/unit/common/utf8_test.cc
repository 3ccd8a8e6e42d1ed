// Goal: exactly the sequences of RFC 3629 count. Method: each boundary of the table, both sides.
#include "common/utf8.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(Utf8, TakesTheFirstAndLastOfEachLength) {
  EXPECT_EQ(utf8_length("a"), 1u);
  EXPECT_EQ(utf8_length("\x7F"), 1u);
  EXPECT_EQ(utf8_length("\xC2\x80"), 2u);
  EXPECT_EQ(utf8_length("\xDF\xBF rest"), 2u);
  EXPECT_EQ(utf8_length("\xE0\xA0\x80"), 3u);
  EXPECT_EQ(utf8_length("\xEF\xBF\xBF"), 3u);
  EXPECT_EQ(utf8_length("\xF0\x90\x80\x80"), 4u);
  EXPECT_EQ(utf8_length("\xF4\x8F\xBF\xBF"), 4u);
}

TEST(Utf8, RefusesEverythingElse) {
  for (const char* text : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2 ", "\xE0\x9F\xBF",
                           "\xED\xA0\x80", "\xED\xBF\xBF", "\xE2\x82", "\xE2\x82 ",
                           "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(utf8_length(text), 0u) << text;
  }
  EXPECT_EQ(utf8_length(""), 0u);
}

// Goal: wherever a text is cut, the answer is the same, and no is said at the first wrong byte.
TEST(Utf8, ChecksPieces) {
  const std::string_view text = "a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80z and some more of it";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Check check;
    EXPECT_TRUE(check.feed(text.substr(0, cut)));
    EXPECT_EQ(check.complete(), is_utf8(text.substr(0, cut)));
    EXPECT_TRUE(check.feed(text.substr(cut)));
    EXPECT_TRUE(check.complete());
  }
  for (const std::string_view bad : {"\xE0\x9F", "\xF4\x90", "\xED\xA0", "\xC3(", "\xFF"}) {
    Utf8Check check;
    EXPECT_FALSE(check.feed(bad.substr(0, 1)) && check.feed(bad.substr(1))) << bad;
  }
}

TEST(Utf8, LooksAtTheWholeText) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC"));
  EXPECT_FALSE(is_utf8("fine until \xC3"));
}

}  // namespace
}  // namespace m2
