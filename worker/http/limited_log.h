// Lines of the error log that strangers cause: bad requests, refusals, slow ones cut off. So many a
// second and no more, or whoever attacks a site could fill its disk; how many were left out is said
// once the second is over.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/deadlines.h"
#include "common/log.h"

namespace m2 {

class LimitedLog final : private Deadline {
 public:
  struct Bound {
    LogLevel level = LogLevel::kInfo;
    uint32_t per_second = 20;
  };

  // about: what the lines are about, for the line that counts those left out.
  LimitedLog(Deadlines& deadlines, std::string_view about, Bound bound)
      : deadlines_(deadlines), about_(about), bound_(bound) {}

  // Whether a line may be written now. Who makes one only then gives it to log_line himself.
  bool admits();
  void write(std::string_view text) {
    if (admits()) log_line(bound_.level, text);
  }

 private:
  void deadline_passed() override;

  Deadlines& deadlines_;
  const std::string_view about_;
  const Bound bound_;
  uint32_t written_ = 0;   // in this second
  uint64_t left_out_ = 0;  // likewise
};

}  // namespace m2
