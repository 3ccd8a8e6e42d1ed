#include "common/loop.h"

#include <ctime>

#include "common/check.h"

namespace m2 {
namespace {

// Added to a clock that begins when the machine does.
constexpr double kLongAgoS = 86'400;

}  // namespace

// A loop of its own, never libev's default one: a fork must not share it.
Loop::Loop() : raw_(::ev_loop_new(unsigned{EVBACKEND_EPOLL} | unsigned{EVFLAG_NOENV})) {
  CHECK(raw_ != nullptr);
  epoch_ = wall() - now();
}

void Loop::take_time() const {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  now_ = kLongAgoS + static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  taken_in_ = turn();
}

Loop::~Loop() { ::ev_loop_destroy(raw_); }

void Loop::run() { ::ev_run(raw_, 0); }

}  // namespace m2
