#include "proto/http/chunk_extensions.h"

#include "proto/http/syntax.h"

namespace m2 {

bool ChunkExtensions::go(State next) {
  state_ = next;
  return true;
}

bool ChunkExtensions::take(char c) {
  switch (state_) {
    case State::kNameStart:
      return is_blank(c) || (is(c, kTokenChar) && go(State::kName));
    case State::kValueStart:
      if (c == '"') return go(State::kQuoted);
      return is_blank(c) || (is(c, kTokenChar) && go(State::kToken));
    case State::kQuoted:
      if (c == '"') return go(State::kQuoteEnded);
      if (c == '\\') return go(State::kEscaped);
      return is(c, kFieldChar);
    case State::kEscaped:
      return is(c, kFieldChar) && go(State::kQuoted);
    case State::kName:
    case State::kToken:
      if (is(c, kTokenChar)) return true;
      break;
    case State::kBlank:
    case State::kNameEnded:
    case State::kQuoteEnded:
      break;
  }
  const bool behind_name = state_ == State::kName || state_ == State::kNameEnded;
  if (c == ';') return go(State::kNameStart);
  if (c == '=' && behind_name) return go(State::kValueStart);
  return is_blank(c) && go(behind_name ? State::kNameEnded : State::kBlank);
}

bool ChunkExtensions::may_end() const {
  return state_ == State::kName || state_ == State::kToken || state_ == State::kQuoteEnded;
}

std::string_view ChunkExtensions::reason() const {
  switch (state_) {
    case State::kNameStart:
      return "chunk extension without a name (RFC 9112 7.1.1)";
    case State::kValueStart:
      return "chunk extension with '=' and no value (RFC 9112 7.1.1)";
    case State::kQuoted:
    case State::kEscaped:
      return "quoted value of a chunk extension with a control byte or without end (RFC 9112 "
             "7.1.1)";
    case State::kBlank:
    case State::kNameEnded:
      return "blanks in a chunk extension without ';' or '=' behind them (RFC 9112 7.1.1)";
    case State::kName:
    case State::kToken:
    case State::kQuoteEnded:
      return "character not allowed in a chunk extension (RFC 9112 7.1.1)";
  }
  return {};
}

}  // namespace m2
