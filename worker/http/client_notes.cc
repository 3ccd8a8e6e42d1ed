#include "worker/http/client_notes.h"

#include <string>

#include "common/log.h"

namespace m2 {

bool ClientNotes::admits() {
  if (!log_enabled(LogLevel::kInfo)) return false;
  if (written_ == kPerSecond) {
    ++left_out_;
    return false;
  }
  if (written_++ == 0) deadlines_.set(*this, 1000);
  return true;
}

void ClientNotes::deadline_passed() {
  if (left_out_ != 0) {
    log_info(std::to_string(left_out_) + " more lines about " + std::string(about_) +
             " left out within a second");
  }
  written_ = 0;
  left_out_ = 0;
}

}  // namespace m2
