// Goal: what is exactly a tnetstring is read to its ground, everything else is refused with the
// place. Method: each kind; each way to be wrong; lists within lists up to the bound and beyond.
#include "proto/handler/tnetstring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace m2 {
namespace {

using Kind = TnetValue::Kind;

TEST(Tnetstring, ReadsEachKind) {
  const std::vector<std::pair<std::string, Kind>> cases = {
      {"5:hello,", Kind::kText},    {"0:,", Kind::kText},         {"2:-5#", Kind::kInteger},
      {"4:1e-3^", Kind::kFloat},    {"4:true!", Kind::kBoolean},  {"5:false!", Kind::kBoolean},
      {"0:~", Kind::kNull},         {"0:}", Kind::kDict},         {"0:]", Kind::kList},
      {"8:1:a,1:1#}", Kind::kDict}, {"9:0:,0:~0:]]", Kind::kList}};
  for (const auto& [text, kind] : cases) {
    const auto value = parse_tnetstring(text);
    ASSERT_TRUE(value.ok()) << text << ": " << value.message();
    EXPECT_EQ(value.value().kind, kind) << text;
  }
  EXPECT_EQ(parse_tnetstring(std::string("3:\0\xff,,", 6)).value().data, std::string("\0\xff,", 3));
}

TEST(Tnetstring, RefusesWhatIsNotOne) {
  for (const char* text : {"",
                           ":",
                           "5",
                           "5:",
                           "5:hello",
                           "5:hell,",
                           "6:hello,",
                           "05:hello,",
                           "-1:a,",
                           " 1:a,",
                           "1:a;",
                           "1:a,x",
                           "1:a,\n",
                           "1:a#",
                           "0:#",
                           "1:-#",
                           "2:1a^",
                           "0:^",
                           "4:True!",
                           "1:1!",
                           "1:a~",
                           "3:1:a}",
                           "4:1:a,}",
                           "8:1:1#1:a,}",
                           "3:1:a]",
                           "4:2:a,]",
                           "9999999999:a,",
                           "99999999999999999999999:a,",
                           "40:1111111111111111111111111111111111111111#"}) {
    const auto value = parse_tnetstring(text);
    EXPECT_FALSE(value.ok()) << text;
    EXPECT_NE(value.message().find("byte "), std::string::npos) << value.message();
  }
}

TEST(Tnetstring, BoundsTheDepth) {
  std::string text = "0:]";
  for (unsigned depth = 1; depth < kTnetDepthMax; ++depth) {
    text = std::to_string(text.size()) + ":" + text + "]";
  }
  EXPECT_TRUE(parse_tnetstring(text).ok());
  for (int more = 0; more < 5000; ++more) text = std::to_string(text.size()) + ":" + text + "]";
  EXPECT_FALSE(parse_tnetstring(text).ok());
}

TEST(Tnetstring, Numbers) {
  const auto number = [](const char* text) {
    return parse_tnetstring(text).value().unsigned_number();
  };
  EXPECT_EQ(number("1:0#"), 0u);
  EXPECT_EQ(number("20:18446744073709551615#"), 18446744073709551615u);
  EXPECT_FALSE(number("20:18446744073709551616#"));
  EXPECT_FALSE(number("2:-1#"));
  EXPECT_FALSE(number("1:1^"));
}

TEST(Tnetstring, WalksElements) {
  const auto dict = parse_tnetstring("20:1:a,4:1:x,]1:b,4:true!}");
  ASSERT_FALSE(dict.ok());  // its size is wrong
  const auto right = parse_tnetstring("22:1:a,4:1:x,]1:b,4:true!}");
  ASSERT_TRUE(right.ok()) << right.message();
  std::string_view rest = right.value().data;
  EXPECT_EQ(next_tnet_value(rest)->data, "a");
  auto list = *next_tnet_value(rest);
  EXPECT_TRUE(list.is(Kind::kList));
  EXPECT_EQ(next_tnet_value(list.data)->data, "x");
  EXPECT_FALSE(next_tnet_value(list.data));
  EXPECT_EQ(next_tnet_value(rest)->data, "b");
  EXPECT_EQ(next_tnet_value(rest)->data, "true");
  EXPECT_FALSE(next_tnet_value(rest));
}

}  // namespace
}  // namespace m2
