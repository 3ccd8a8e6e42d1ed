#include "worker/http/limited_log.h"

#include <string>

namespace m2 {

bool LimitedLog::admits() {
  if (!log_enabled(bound_.level)) return false;
  if (written_ == bound_.per_second) {
    ++left_out_;
    return false;
  }
  if (written_++ == 0) deadlines_.set(*this, 1000);
  return true;
}

void LimitedLog::deadline_passed() {
  if (left_out_ != 0) {
    log_line(bound_.level, std::to_string(left_out_) + " more lines about " + std::string(about_) +
                               " left out within a second");
  }
  written_ = 0;
  left_out_ = 0;
}

}  // namespace m2
