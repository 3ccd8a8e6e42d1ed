// Whether a backend gets requests: out of turn after failures in a row, for a pause that doubles,
// then one request is its trial. Pure arithmetic; the caller brings the time and writes the log.
// Used by Balancer; lives as long as its Backend, over reloads.
#pragma once

#include <cstdint>

namespace m2 {

struct HealthLimits {
  uint32_t eject_after = 3;  // failures in a row
  uint32_t eject_ms = 1000;  // the first pause
  bool operator==(const HealthLimits&) const = default;
};

class BackendHealth {
 public:
  static constexpr uint64_t kPauseMaxMs = 60'000;

  enum class State : uint8_t {
    kInTurn,
    kOut,      // its pause runs
    kTrialDue  // its pause is over: the next request may be the trial
  };
  State state(uint64_t now_ms) const {
    if (!out_) return State::kInTurn;
    return now_ms < until_ms_ ? State::kOut : State::kTrialDue;
  }

  // The trial begins: nobody else is sent there before a verdict, or before another pause.
  void begin_trial(uint64_t now_ms) { until_ms_ = now_ms + pause_ms_; }

  // True: it was out, and is in turn again.
  bool succeeded() {
    failures_ = 0;
    const bool was_out = out_;
    out_ = false;
    pause_ms_ = 0;
    return was_out;
  }

  // True: it goes out of turn with this failure, or stays out for a longer pause. Failures of
  // requests that were under way when it went out do not lengthen the pause.
  bool failed(uint64_t now_ms, const HealthLimits& limits) {
    ++failures_;
    if (failures_ < limits.eject_after) return false;
    if (out_ && now_ms < since_ms_ + pause_ms_) return false;
    pause_ms_ = pause_ms_ == 0 ? limits.eject_ms : pause_ms_ * 2;
    if (pause_ms_ > kPauseMaxMs) pause_ms_ = kPauseMaxMs;
    if (!out_) out_since_ms_ = now_ms;
    out_ = true;
    since_ms_ = now_ms;
    until_ms_ = now_ms + pause_ms_;
    return true;
  }

  uint32_t failures() const { return failures_; }  // in a row
  uint64_t pause_ms() const { return pause_ms_; }
  uint64_t out_since_ms() const { return out_since_ms_; }

 private:
  bool out_ = false;
  uint32_t failures_ = 0;
  uint64_t pause_ms_ = 0;
  uint64_t since_ms_ = 0;  // this pause
  uint64_t until_ms_ = 0;
  uint64_t out_since_ms_ = 0;  // the first pause
};

}  // namespace m2
