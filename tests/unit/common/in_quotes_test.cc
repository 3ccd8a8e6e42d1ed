// Goal: foreign bytes never break a line of a log and never make it endless. Method: such bytes.
#include "common/in_quotes.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(InQuotes, ShowsTextAsItIs) {
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("/images/(\\a-\\-\\d+\\.jpg)"), "\"/images/(\\a-\\-\\d+\\.jpg)\"");
  EXPECT_EQ(in_quotes("\xE2\x82\xAC"), "\"\xE2\x82\xAC\"");
}

TEST(InQuotes, StaysOnOneLineOfUtf8) {
  EXPECT_EQ(in_quotes("a\nb\x1B\x7F\xFF"), R"("a\x0ab\x1b\x7f\xff")");
}

TEST(InQuotes, CutsWhatIsVeryLong) {
  const std::string text = in_quotes(std::string(5000, 'x'));
  EXPECT_LT(text.size(), 130u);
  EXPECT_TRUE(text.ends_with("xxx...\"")) << text;
}

TEST(InOneLine, EscapesWhatEndsOrMovesALine) {
  EXPECT_EQ(in_one_line("a \"b\" \\ \xE2\x82\xAC"), "a \"b\" \\ \xE2\x82\xAC");
  EXPECT_EQ(in_one_line("a\r\nb\x1B[0m\xC2\x9B\xFF"), R"(a\x0d\x0ab\x1b[0m\xc2\x9b\xff)");
  EXPECT_TRUE(is_one_line("plain"));
  EXPECT_FALSE(is_one_line("two\nlines"));
}

}  // namespace
}  // namespace m2
