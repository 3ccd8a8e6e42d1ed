#include "common/loop.h"

#include "common/check.h"

namespace m2 {

// A loop of its own, never libev's default one: a fork must not share it.
Loop::Loop() : raw_(::ev_loop_new(unsigned{EVBACKEND_EPOLL} | unsigned{EVFLAG_NOENV})) {
  CHECK(raw_ != nullptr);
}

Loop::~Loop() { ::ev_loop_destroy(raw_); }

void Loop::run() { ::ev_run(raw_, 0); }

}  // namespace m2
