// A generation as the master knows it: number, plan, and the image it passes on without a look. And
// the small decisions about plans that need no I/O.
#pragma once

#include <cstdint>
#include <string>

#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/plan.h"

namespace m2 {

struct PlannedGeneration {
  uint64_t number = 0;  // 0: none
  Plan plan;
  OwnedFd image;
  unsigned workers = 0;  // really started: never 0 in a generation
  // Of handlers: these workers, and those of the generation before that still finish what they
  // have. With more than one the relay has the handlers' endpoints.
  unsigned users = 0;
};

// -w, else the plan's number, else one for each core that this process may use.
unsigned worker_count(const Plan& plan, unsigned asked_for);

// What a reload cannot change: it needs a restart. The message names each.
Status check_changeable(const Plan& now, const Plan& next);

// "1 listener", "2 listeners".
std::string count_of(unsigned count, const std::string& noun);

}  // namespace m2
