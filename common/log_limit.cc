#include "common/log_limit.h"

#include <time.h>

#include <string>
#include <utility>

namespace m2 {
namespace {

LogLimit* all = nullptr;

uint64_t this_second() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec);
}

}  // namespace

LogLimit::LogLimit(std::string_view about, LogLevel level, uint32_t per_second)
    : about_(about), level_(level), per_second_(per_second), next_(std::exchange(all, this)) {}

bool LogLimit::admits() {
  if (!log_enabled(level_)) return false;
  if (const uint64_t now = this_second(); now != second_) {
    second_ = now;
    written_ = 0;
  }
  if (written_ < per_second_) {
    ++written_;
    return true;
  }
  ++left_out_;
  return false;
}

void LogLimit::say_left_out(bool at_the_end) {
  const uint64_t now = this_second();
  for (LogLimit* limit = all; limit != nullptr; limit = limit->next_) {
    if (limit->left_out_ == 0 || (limit->second_ == now && !at_the_end)) continue;
    const std::string count = std::to_string(std::exchange(limit->left_out_, 0));
    log_line(limit->level_, count + " more lines about " + std::string(limit->about_) +
                                " left out within a second");
  }
}

}  // namespace m2
