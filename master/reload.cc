#include "master/reload.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace m2 {

using Kind = Reload::Action::Kind;

// ---- from the request to PREPARE

Reload::Actions Reload::request() {
  if (stopping_) return {};
  if (phase_ != Phase::kIdle) {
    again_ = true;
    return {};
  }
  phase_ = Phase::kReading;
  return {{.kind = Kind::kRead}};
}

Reload::Actions Reload::plan_accepted() {
  if (stopping_) return {};
  CHECK(phase_ == Phase::kReading);
  phase_ = Phase::kOpening;
  candidate_ = ++last_number_;
  return {{.kind = Kind::kOpen, .generation = candidate_}};
}

Reload::Actions Reload::plan_refused(const std::string& why) {
  if (stopping_) return {};
  CHECK(phase_ == Phase::kReading);
  Actions actions;
  finish(actions, {.kind = Kind::kRefused, .generation = current_, .text = why});
  return actions;
}

Reload::Actions Reload::opened(const std::vector<ChildId>& participants) {
  if (stopping_) return {};
  CHECK(phase_ == Phase::kOpening);
  phase_ = Phase::kPreparing;
  Actions actions;
  for (const ChildId id : participants) {
    const auto found = members_.find(id);
    CHECK(found != members_.end());
    found->second.takes_part = true;
    settle(actions, id, found->second);
  }
  commit_when_all_ready(actions);
  return actions;
}

Reload::Actions Reload::open_failed(const std::string& why) {
  if (stopping_) return {};
  CHECK(phase_ == Phase::kOpening);
  Actions actions;
  abort(actions, why);
  return actions;
}

void Reload::prepare(Actions& actions, ChildId id, Member& member, uint64_t generation) {
  member.asked = generation;
  member.step = Step::kAsked;
  actions.push_back({.kind = Kind::kPrepare, .child = id, .generation = generation});
}

// What a child with nothing under way needs next: the candidate if it takes part in a reload, else
// the current generation. One that is still on its way comes here again when it has arrived, so
// that no child ever holds two candidates.
void Reload::settle(Actions& actions, ChildId id, Member& member) {
  if (stopping_ || member.step != Step::kSettled) return;
  if (member.takes_part) {
    if (phase_ == Phase::kPreparing) prepare(actions, id, member, candidate_);
  } else if (current_ != 0 && member.serves != current_) {
    prepare(actions, id, member, current_);
  }
}

// ---- what children say

Reload::Actions Reload::child_born(ChildId child, const std::string& name) {
  Member& member = members_[child];
  member.name = name;
  Actions actions;
  // Children started for the candidate are among the participants in a moment.
  if (phase_ != Phase::kOpening) settle(actions, child, member);
  return actions;
}

Reload::Actions Reload::child_ready(ChildId child, uint64_t generation) {
  const auto found = members_.find(child);
  if (stopping_ || found == members_.end()) return {};
  Member& member = found->second;
  if (member.step != Step::kAsked || member.asked != generation) return {};
  Actions actions;
  if (member.takes_part && generation == candidate_ && phase_ == Phase::kPreparing) {
    member.step = Step::kReady;
    commit_when_all_ready(actions);
  } else if (generation == current_) {
    member.step = Step::kCommitted;
    actions.push_back({.kind = Kind::kCommit, .child = child, .generation = generation});
  } else {
    // A reload has overtaken this child.
    actions.push_back({.kind = Kind::kAbort, .child = child, .generation = generation});
    member.step = Step::kSettled;
    settle(actions, child, member);
  }
  return actions;
}

Reload::Actions Reload::child_failed(ChildId child, uint64_t generation, const std::string& why) {
  const auto found = members_.find(child);
  if (stopping_ || found == members_.end()) return {};
  Member& member = found->second;
  if (member.step == Step::kSettled || member.asked != generation) return {};
  Actions actions;
  const bool may_refuse = member.step == Step::kAsked && member.takes_part &&
                          generation == candidate_ && phase_ == Phase::kPreparing;
  if (may_refuse) {
    abort(actions, member.name + ": " + why);
  } else {
    // It cannot serve what all others serve, or takes back its READY: start it anew.
    actions.push_back({.kind = Kind::kKill,
                       .child = child,
                       .text = "failed at generation " + std::to_string(generation) + ": " + why});
  }
  return actions;
}

Reload::Actions Reload::child_swapped(ChildId child, uint64_t generation) {
  const auto found = members_.find(child);
  if (found == members_.end()) return {};
  Member& member = found->second;
  if (member.step != Step::kCommitted || member.asked != generation) return {};
  member.serves = generation;
  member.step = Step::kSettled;
  if (stopping_) return {};
  Actions actions;
  if (phase_ == Phase::kSwapping && member.takes_part) {
    member.takes_part = false;
    finish_when_all_swapped(actions);
  } else {
    settle(actions, child, member);
  }
  return actions;
}

Reload::Actions Reload::child_silent(ChildId child) {
  const auto found = members_.find(child);
  if (stopping_ || found == members_.end()) return {};
  Member& member = found->second;
  if (member.step != Step::kAsked && member.step != Step::kCommitted) return {};
  Actions actions;
  if (phase_ == Phase::kPreparing && member.takes_part && member.asked == candidate_) {
    abort(actions, member.name + " did not answer in time");
  } else {
    actions.push_back(
        {.kind = Kind::kKill,
         .child = child,
         .text = "did not answer in time at generation " + std::to_string(member.asked)});
  }
  return actions;
}

Reload::Actions Reload::child_gone(ChildId child, const std::string& why) {
  const auto found = members_.find(child);
  if (found == members_.end()) return {};
  const bool took_part = found->second.takes_part;
  const std::string name = found->second.name;
  members_.erase(found);
  if (stopping_ || !took_part) return {};
  Actions actions;
  if (phase_ == Phase::kPreparing) abort(actions, name + " " + why);
  // After COMMIT there is no way back, and none is needed: its successor gets the new generation.
  if (phase_ == Phase::kSwapping) finish_when_all_swapped(actions);
  return actions;
}

// ---- the decision and the end

void Reload::commit_when_all_ready(Actions& actions) {
  for (const auto& [id, member] : members_) {
    if (member.takes_part && (member.step != Step::kReady || member.asked != candidate_)) return;
  }
  phase_ = Phase::kSwapping;
  current_ = candidate_;
  for (auto& [id, member] : members_) {
    if (!member.takes_part) continue;
    member.step = Step::kCommitted;
    actions.push_back({.kind = Kind::kCommit, .child = id, .generation = current_});
  }
  actions.push_back({.kind = Kind::kAdopt, .generation = current_});
  finish_when_all_swapped(actions);  // with nobody to wait for
}

void Reload::finish_when_all_swapped(Actions& actions) {
  const bool waiting = std::any_of(members_.begin(), members_.end(),
                                   [](const auto& entry) { return entry.second.takes_part; });
  if (waiting) return;
  candidate_ = 0;
  finish(actions, {.kind = Kind::kServes, .generation = current_});
}

void Reload::abort(Actions& actions, const std::string& why) {
  drop_candidate(actions);
  finish(actions, {.kind = Kind::kRefused, .generation = current_, .text = why});
}

void Reload::drop_candidate(Actions& actions) {
  for (auto& [id, member] : members_) {
    const bool holds_it = member.step != Step::kSettled && member.asked == candidate_;
    if (member.takes_part && holds_it) {
      actions.push_back({.kind = Kind::kAbort, .child = id, .generation = candidate_});
      member.step = Step::kSettled;
    }
    member.takes_part = false;
  }
  actions.push_back({.kind = Kind::kDiscard, .generation = candidate_});
  candidate_ = 0;
}

void Reload::finish(Actions& actions, Action verdict) {
  phase_ = Phase::kIdle;
  actions.push_back(std::move(verdict));
  for (auto& [id, member] : members_) settle(actions, id, member);
  if (std::exchange(again_, false)) {
    const Actions more = request();
    actions.insert(actions.end(), more.begin(), more.end());
  }
}

Reload::Actions Reload::stop() {
  stopping_ = true;
  again_ = false;
  Actions actions;
  if (phase_ == Phase::kOpening || phase_ == Phase::kPreparing) drop_candidate(actions);
  phase_ = Phase::kIdle;
  return actions;
}

}  // namespace m2
