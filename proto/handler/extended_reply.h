// What the body of an extended message (ids after "X", Mongrel2 1.8) asks the server to do with the
// connections it names: a tnetstring list of a key and its value. docs/handler-protocol.md.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/status.h"

namespace m2 {

struct ExtendedReply {
  enum class Kind : uint8_t {
    kControl,   // "ctl": what follows
    kSendfile,  // "sendfile": send this file
    kUnknown    // a key, or a value, that nobody knows: the connections are closed
  };
  Kind kind = Kind::kUnknown;
  // kControl; all that are asked for are done.
  bool keep_alive = false;
  bool cancel = false;
  uint64_t credits = 0;
  std::string_view unknown_command;  // the first one: passed over
  std::string_view path;             // kSendfile
  std::string_view key;
};

// Refused, to be ignored: what is no list of a text and one value, and credits that are no number.
Result<ExtendedReply> parse_extended_reply(std::string_view body);

}  // namespace m2
