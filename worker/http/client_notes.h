// Lines of the error log that clients cause: bad requests, refusals, slow ones cut off. So many a
// second and no more, or whoever attacks a site could fill its disk; how many were left out is said
// once the second is over. Owned by Clients.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/deadlines.h"

namespace m2 {

class ClientNotes final : private Deadline {
 public:
  static constexpr uint32_t kPerSecond = 20;

  // about: what the lines are about, for the line that counts those left out.
  ClientNotes(Deadlines& deadlines, std::string_view about)
      : deadlines_(deadlines), about_(about) {}

  // Whether a line may be written now; the caller makes it only then, and gives it to log_info.
  bool admits();

 private:
  void deadline_passed() override;

  Deadlines& deadlines_;
  const std::string_view about_;
  uint32_t written_ = 0;   // in this second
  uint64_t left_out_ = 0;  // likewise
};

}  // namespace m2
