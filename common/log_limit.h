// Lines of the error log that strangers cause, one kind of them: so many a second and no more, or
// whoever wants to could fill its disk. Those left out are counted, and said with the next line of
// the log, whatever its kind. One object for each kind, for as long as the process lives.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/log.h"

namespace m2 {

class LogLimit {
 public:
  // about: for the line that counts: "41 more lines about handlers that come and go". It stays.
  explicit LogLimit(std::string_view about, LogLevel level = LogLevel::kInfo,
                    uint32_t per_second = 20);
  LogLimit(const LogLimit&) = delete;
  LogLimit& operator=(const LogLimit&) = delete;

  // Whether a line may be written now. Who makes one only then gives it to log_line himself.
  bool admits();
  void write(std::string_view text) {
    if (admits()) log_line(level_, text);
  }
  // Says what all of them left out in seconds that are over. Called by the log before each line and
  // at its end.
  static void say_left_out(bool at_the_end = false);

 private:
  const std::string_view about_;
  const LogLevel level_;
  const uint32_t per_second_;
  LogLimit* next_;  // of all there are
  uint64_t second_ = 0;
  uint32_t written_ = 0;   // in this second
  uint64_t left_out_ = 0;  // not yet said
};

}  // namespace m2
