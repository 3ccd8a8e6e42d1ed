// What the operator typed. Two arguments and nothing else, as in Mongrel2 1.x, start the server.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/status.h"

namespace m2 {

struct Arguments {
  enum class Command : uint8_t { kServe, kCheck, kSettings, kVersion, kHelp };
  Command command = Command::kServe;
  std::string database;
  std::string server;    // uuid, or a name or host that means one server only
  unsigned workers = 0;  // -w; 0: what the configuration says
};

// arguments without the name of the program. An error is one line for people.
Result<Arguments> parse_arguments(std::span<const char* const> arguments);

extern const char kUsage[];  // one line
extern const char kHelp[];

}  // namespace m2
