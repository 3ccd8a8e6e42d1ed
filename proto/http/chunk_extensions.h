// The extensions of one chunk, byte by byte, by their grammar (RFC 9112 7.1.1):
// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ). Used by ChunkReader, which
// bounds their length. Keeps no value: none is defined that this server acts on.
#pragma once

#include <cstdint>
#include <string_view>

namespace m2 {

class ChunkExtensions {
 public:
  // Takes the next byte. False: the byte is not allowed here, reason() says why.
  [[nodiscard]] bool take(char c);
  // Whether the line may end here.
  bool may_end() const;
  std::string_view reason() const;

 private:
  enum class State : uint8_t {
    kBlank,      // blanks in front of a ';'
    kNameStart,  // behind ';'
    kName,
    kNameEnded,   // blanks behind a name
    kValueStart,  // behind '='
    kToken,
    kQuoted,   // within a quoted string
    kEscaped,  // behind its backslash
    kQuoteEnded
  };
  State state_ = State::kBlank;

  bool go(State next);
};

}  // namespace m2
