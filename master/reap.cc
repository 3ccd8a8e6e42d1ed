#include "master/reap.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <algorithm>

namespace m2 {
namespace {

constexpr unsigned kDelayLeastMs = 100;
constexpr unsigned kDelayMostMs = 10'000;
constexpr double kServedWellS = 1.0;
constexpr uint64_t kUnixMsOf2020 = 1'577'836'800'000;

}  // namespace

std::string exit_reason(int wait_status) {
  if (WIFEXITED(wait_status)) {
    return "exited with status " + std::to_string(WEXITSTATUS(wait_status));
  }
  const int number = WTERMSIG(wait_status);
  return "killed by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")" +
         (WCOREDUMP(wait_status) ? ", core dumped" : "") +
         (number == SIGSYS ? ": a system call that its jail forbids" : "");
}

unsigned RestartDelay::next_ms(double served_s) {
  if (served_s >= kServedWellS) {
    last_ms_ = 0;
  } else {
    last_ms_ = std::clamp(last_ms_ * 2, kDelayLeastMs, kDelayMostMs);
  }
  return last_ms_;
}

uint64_t Incarnations::next(uint64_t unix_ms) {
  const uint64_t now = unix_ms > kUnixMsOf2020 ? unix_ms - kUnixMsOf2020 : 0;
  last_ = std::max(now, last_ + 1000);
  return last_;
}

}  // namespace m2
