#include "proto/route/pattern_advice.h"

namespace m2 {
namespace {

// Behind the set that begins at `at`, by the rules of the compiler: a ']' that comes first is a
// member.
size_t behind_set(std::string_view text, size_t at) {
  ++at;
  if (at < text.size() && text[at] == '^') ++at;
  for (bool first = true; at < text.size() && (first || text[at] != ']'); first = false) {
    at += text[at] == '\\' ? 2 : 1;
  }
  return at + 1;
}

}  // namespace

std::string pattern_advice(std::string_view text) {
  int open = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char before = at == 0 ? '\0' : text[at - 1];
    switch (text[at]) {
      case '\\':
        if (text.substr(at + 1).starts_with('b')) at += 2;  // two more that stand for themselves
        ++at;
        break;
      case '[':
        at = behind_set(text, at) - 1;
        break;
      case '(':
        ++open;
        break;
      case ')':
        if (--open < 0) return "has ')' without '('; write \"\\)\" for a parenthesis";
        break;
      case '$':
        if (text.find_first_not_of(')', at + 1) == text.npos && at + 1 < text.size()) {
          return "has '$' before ')', where it is an ordinary character; write \")$\" for the end";
        }
        break;
      case '^':
        if (before == '(') {
          return "has '^', which is an ordinary character; leave it out, a pattern matches from "
                 "the start";
        }
        break;
      case '|':
        return "has '|', which is an ordinary character; write one more route for each choice, or "
               "\"\\|\" if it is meant";
      case '*':
      case '+':
      case '?':
        if (before == ')') {
          return "has '" + std::string(1, text[at]) +
                 "' behind ')', where it is an ordinary character; only what is one byte long can "
                 "be repeated";
        }
        break;
      default:
        break;
    }
  }
  if (open > 0) return "has '(' without ')'; close it, or write \"\\(\" for a parenthesis";
  return {};
}

}  // namespace m2
