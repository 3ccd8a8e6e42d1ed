// Goal: the pattern language of the manual, item by item, and no input that makes matching slow.
// Method: tables of pattern, text and answer; then random patterns against a plain recursive
// matcher.
#include "proto/route/pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/proto/route/pattern_reference.h"

namespace m2 {
namespace {

struct Row {
  std::string pattern;
  std::string subject;
  bool matches;
};

Pattern compiled(const std::string& text) {
  Result<Pattern> pattern = Pattern::compile(text);
  EXPECT_TRUE(pattern.ok()) << text << ": " << pattern.message();
  return pattern.ok() ? std::move(pattern).value() : Pattern();
}

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(compiled(row.pattern).matches(row.subject), row.matches)
        << row.pattern << " on \"" << row.subject << '"';
  }
}

TEST(Pattern, ExamplesOfTheManual) {
  check({{"(.*.jpg)", "a.jpg", true},
         {"(.*.jpg)", "deep/in/here.jpg", true},
         {"(.*.jpg)", "a.png", false},
         {"(.*.jpg)", "ajpg", true},  // '.' is any character
         {"(.*.jpg)", "jpg", false},
         {"(\\a-\\-\\d+\\.jpg)", "abc-123.jpg", true},
         {"(\\a-\\-\\d+\\.jpg)", "-1.jpg", true},
         {"(\\a-\\-\\d+\\.jpg)", "abc-.jpg", false},
         {"(\\a-\\-\\d+\\.jpg)", "abc-12xjpg", false},
         {"(\\a-\\-\\d+\\.jpg)", "ab1-12.jpg", false},
         {"(.*.json)", "sample.json", true},
         {"(.*.json)", "sample.html", false}});
}

TEST(Pattern, AnchoredAtTheStartOnly) {
  check({{"abc", "abcdef", true},
         {"bc", "abc", false},
         {"abc", "ab", false},
         {"", "", true},
         {"", "anything", true},
         {"()", "anything", true}});
}

TEST(Pattern, DollarOnlyAtTheVeryEnd) {
  check({{"abc$", "abc", true},
         {"abc$", "abcd", false},
         {"$", "", true},
         {"$", "a", false},
         {"()$", "", true},
         {"()$", "x", false},
         {"a$b", "a$b", true},
         {"a$b", "a", false},
         {"(a$)", "a$", true},  // a parenthesis stands behind it
         {"(a$)", "a", false},
         {"a\\$", "a$", true},
         {"a\\$", "a", false},
         {"$*b", "$$b", true},
         {"([0-9]+)$", "12345", true},
         {"([0-9]+)$", "12345x", false}});
}

// Which bytes each class has, and that its capital has all the others.
TEST(Pattern, Classes) {
  const auto members = [](const std::string& text) {
    const Pattern pattern = compiled(text);
    std::string found;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string subject(1, static_cast<char>(byte));
      if (pattern.matches_whole(subject)) found += subject;
    }
    return found;
  };
  const std::string digits = "0123456789";
  const std::string upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string lower = "abcdefghijklmnopqrstuvwxyz";
  std::string controls;
  for (int byte = 0; byte < 32; ++byte) controls += static_cast<char>(byte);
  EXPECT_EQ(members("\\a"), upper + lower);
  EXPECT_EQ(members("\\c"), controls + '\x7f');
  EXPECT_EQ(members("\\d"), digits);
  EXPECT_EQ(members("\\l"), lower);
  EXPECT_EQ(members("\\p"), "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
  EXPECT_EQ(members("\\s"), "\t\n\v\f\r ");
  EXPECT_EQ(members("\\u"), upper);
  EXPECT_EQ(members("\\w"), digits + upper + lower);
  EXPECT_EQ(members("\\x"), digits + "ABCDEF" + "abcdef");
  EXPECT_EQ(members("\\z"), std::string(1, '\0'));
  EXPECT_EQ(members(".").size(), 256u);
  for (const char letter : std::string("acdlpsuwxz")) {
    const std::string own = members({'\\', letter});
    const std::string other = members({'\\', static_cast<char>(std::toupper(letter))});
    EXPECT_EQ(own.size() + other.size(), 256u) << letter;
    EXPECT_EQ(other.find_first_of(own), std::string::npos) << letter;
  }
}

TEST(Pattern, EscapedOthersAreThemselves) {
  check({{"\\.", ".", true},
         {"\\.", "x", false},
         {"\\\\", "\\", true},
         {"\\*", "*", true},
         {"\\(\\)", "()", true},
         {"\\[", "[", true},
         {"\\g", "g", true},
         {"\\B", "B", true},
         {"\\%", "%", true}});
}

TEST(Pattern, Sets) {
  check({{"[abc]", "b", true},
         {"[abc]", "d", false},
         {"[^abc]", "d", true},
         {"[^abc]", "b", false},
         {"[0-9a-f]", "c", true},
         {"[0-9a-f]", "g", false},
         {"[a-]", "-", true},
         {"[-a]", "-", true},
         {"[]]", "]", true},
         {"[]a]", "a", true},
         {"[^]]", "]", false},
         {"[^]]", "x", true},
         {"[\\]]", "]", true},
         {"[\\d_]", "7", true},
         {"[\\d_]", "_", true},
         {"[\\d_]", "a", false},
         {"[\\D]", "a", true},
         {"[^\\d]", "7", false},
         {"[\\d-x]", "-", true},  // a class begins no range
         {"[a-\\d]", "-", true},  // nor ends one
         {"[\\--0]", ".", true},  // an escaped character does
         {"[+-\\-]", ",", true},
         {"[.]", "x", false},
         {"[$]", "$", true},
         {"[(]", "(", true},
         {"[a^]", "^", true},
         {"[a-]]", "-]", true},  // the first ']' closes
         {std::string("[\0-\x1f]", 5), "\x01", true}});
}

TEST(Pattern, Repeats) {
  check({{"a*b", "b", true},
         {"a*b", "aaab", true},
         {"a+b", "b", false},
         {"a+b", "aab", true},
         {"a-b", "aaab", true},
         {"a-b", "b", true},
         {"a?b", "ab", true},
         {"a?b", "b", true},
         {"a?b", "aab", false},
         {"[ab]+c", "abbac", true},
         {"\\d+\\-", "12-", true},
         {".*x", "abxab", true},
         {"a**", "aa*", true},
         {"a**$", "aaa", false},
         {"a*a*a*b", "aaaa", false},
         {"ab*", "a", true},
         {"a?a?a?aaa$", "aaa", true},
         {"a?a?a?aaa$", "aaaaaaa", false}});
}

TEST(Pattern, ParenthesesMeanNothing) {
  check({{"(ab)c", "abc", true},
         {"(((a)))", "a", true},
         {"a)b(c", "abc", true},
         {"(ab)*", "ab*", true},  // nothing to repeat: a literal
         {"(ab)*", "abab", false},
         {"(*a)", "*a", true},
         {"a(+)b", "a+b", true},
         {"()", "", true}});
}

TEST(Pattern, OtherCharactersAreLiteral) {
  check({{"^a", "^a", true},
         {"^a", "a", false},
         {"%d", "%d", true},
         {"%d", "5", false},
         {"a|b", "a|b", true},
         {"a|b", "b", false},
         {"a{2}", "a{2}", true},
         {"a{2}", "aa", false},
         {"-a", "-a", true},
         {"?a", "?a", true}});
}

TEST(Pattern, Balanced) {
  check({{"\\b()", "()", true},
         {"\\b()", "(a(b)c)d", true},
         {"\\b()d$", "(a(b)c)d", true},
         {"\\b()$", "(a)(b)", false},
         {"\\b()", "(a(b)", false},
         {"\\b()", "a()", false},
         {"\\b()", "", false},
         {"f\\b()$", "f(x)", true},
         {"\\b{}x", "{{}}x", true},
         {"\\b''", "'quoted'", true},
         {"\\b''$", "'a'b'", false},
         {"\\b''b'$", "'a'b'", true},
         {"\\b()*", "(a)*", true},  // takes no repeat
         {"a*\\b()$", "aa(())", true},
         {".*\\b()$", "((()(x)", true},
         {".*\\b()$", ")(", false},
         {"\\b()$", "()", true},
         {".-\\b()x", "((a)x", true}});
}

TEST(Pattern, Frontier) {
  check({{"\\f[\\a]word", "word", true},
         {".*\\f[\\a]word", "a word", true},
         {".*\\f[\\a]word", "sword", false},
         {"word\\f[\\A]", "word", true},  // the end counts as NUL
         {"word\\f[\\A]", "words", false},
         {"\\f[\\z]", "", false},  // NUL on both sides
         {"\\a+\\f[\\d]1", "ab1", true}});
}

TEST(Pattern, WholeSubject) {
  EXPECT_TRUE(compiled("(.*)").matches_whole("www"));
  EXPECT_TRUE(compiled("(.*)").matches_whole(""));
  EXPECT_TRUE(compiled("(a-)").matches_whole("aaa"));
  EXPECT_FALSE(compiled("(a)").matches_whole("ab"));
  EXPECT_TRUE(compiled("(a)").matches("ab"));
  EXPECT_TRUE(compiled("(a)$").matches_whole("a"));
}

TEST(Pattern, SmallLetters) {
  const auto matches = [](std::string_view text, std::string_view subject) {
    Result<Pattern> pattern = Pattern::compile(text, Pattern::Case::kLower);
    return pattern.ok() && pattern.value().matches_whole(subject);
  };
  EXPECT_TRUE(matches("WWW", "www"));
  EXPECT_TRUE(matches("[A-C]+", "abc"));
  EXPECT_FALSE(matches("[^A]", "a"));
  EXPECT_TRUE(matches("\\u+", "abc"));
  EXPECT_TRUE(matches("\\A", "1"));
  EXPECT_FALSE(matches("\\A", "a"));
  EXPECT_TRUE(matches("\\bXY", "xaxyy"));
}

TEST(Pattern, RefusesWhatHasNoMeaning) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"(abc[a-z", "byte 5: the set is not closed"},
      {"[", "byte 1: the set is not closed"},
      {"[]", "byte 1: the set is not closed"},
      {"[^]", "byte 1: the set is not closed"},
      {"[a\\]", "byte 1: the set is not closed"},
      {"[a\\", "byte 1: the set ends in a backslash"},
      {"[z-a]", "byte 2: the range runs backwards"},
      {"ab\\", "byte 3: a backslash at the end"},
      {"\\b", "byte 1: \"\\b\" needs the two characters"},
      {"\\b(", "byte 1: \"\\b\" needs the two characters"},
      {"x\\f", "byte 2: \"\\f\" needs a set"},
      {"\\fx", "byte 1: \"\\f\" needs a set"},
      {"\\f[a", "byte 3: the set is not closed"},
      {std::string(1025, 'a'), "pattern of 1025 bytes: at most 1024"},
  };
  for (const auto& [text, reason] : rows) {
    const Result<Pattern> pattern = Pattern::compile(text);
    ASSERT_FALSE(pattern.ok()) << text;
    EXPECT_NE(pattern.message().find(reason), std::string::npos) << pattern.message();
  }
  EXPECT_TRUE(Pattern::compile(std::string(1024, 'a')).ok());
}

// What takes a backtracking matcher longer than the sun has: done at once, with the right answer.
TEST(Pattern, NothingRunsAway) {
  std::string many_stars;
  for (int i = 0; i < 300; ++i) many_stars += ".*";
  const std::string long_text(100'000, 'a');
  EXPECT_FALSE(compiled(many_stars + "b$").matches(std::string(4096, 'a')));
  EXPECT_TRUE(compiled(".*.*.*.*b").matches(long_text + "b"));
  EXPECT_FALSE(compiled(".*.*.*.*b").matches(long_text));
  EXPECT_FALSE(compiled(".*\\b()").matches(std::string(100'000, '(')));
  EXPECT_TRUE(compiled(".*\\b()$").matches(std::string(50'000, '(') + std::string(50'000, ')')));
  // Around the size up to which no memory is asked for.
  for (const size_t size : {1021u, 1022u, 1023u, 1024u, 1025u}) {
    EXPECT_TRUE(compiled(".*a?a$").matches(std::string(size, 'a'))) << size;
    EXPECT_FALSE(compiled(".*a?b$").matches(std::string(size, 'a'))) << size;
  }
}

TEST(Pattern, AgreesWithAPlainMatcher) {
  const std::vector<std::string> pieces = {
      "a",      "b",      ".", "(",   ")",       "\\d",    "\\A",   "[ab]",  "[^a]",
      "[a-c1]", "*",      "+", "-",   "?",       "\\b()",  "\\baa", "\\bab", "$",
      "1",      "\\f[a]", "c", "\\z", "\\f[^b]", "[\\d-]", "\\(",   "x"};
  std::mt19937 random(20260101);
  const auto below = [&](size_t limit) { return random() % limit; };
  size_t decided = 0, matched = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text, subject;
    for (size_t n = below(8); n > 0; --n) text += pieces[below(pieces.size())];
    for (size_t n = below(12); n > 0; --n) subject += "aabbc1()x"[below(9)];
    const std::optional<bool> expected = reference::Matcher(text, subject).matches();
    if (!expected) continue;
    ++decided;
    matched += *expected;
    ASSERT_EQ(compiled(text).matches(subject), *expected) << text << " on \"" << subject << '"';
  }
  // The rounds say something only if both answers are common.
  EXPECT_GT(decided, 19'000u);
  EXPECT_GT(matched, 3'000u);
  EXPECT_LT(matched, 17'000u);
}

}  // namespace
}  // namespace m2
