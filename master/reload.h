// The two-phase reload as a pure state machine: events go in, actions come out, no I/O, no clock.
// The supervisor feeds it and carries the actions out. It also brings a child that was born later
// to the current generation, by the same handshake, alone. docs/reload.md tells the story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace m2 {

class Reload {
 public:
  using ChildId = uint64_t;

  struct Action {
    enum class Kind : uint8_t {
      kRead,     // start the config reader; answer: plan_accepted or plan_refused
      kOpen,     // open what the candidate needs, start missing children; opened or open_failed
      kPrepare,  // child: build this generation; a time limit begins
      kCommit,   // child: swap to this generation; a time limit begins
      kAbort,    // child: forget this generation; no answer is expected any more
      kKill,     // child: it broke the handshake, for the reason in text
      kAdopt,    // the candidate is the current generation from now on
      kDiscard,  // forget the candidate, close what was opened for it
      kServes,   // verdict: every child is on this generation
      kRefused,  // verdict: text says why; nothing has changed
    };
    Kind kind;
    ChildId child = 0;
    uint64_t generation = 0;
    std::string text = {};
    bool operator==(const Action&) const = default;
  };
  using Actions = std::vector<Action>;

  // Each event returns what to do now, in order. Actions for a child that has gone meanwhile are to
  // be skipped.

  // Somebody wants a reload. During one: one more follows, however often it was asked for.
  [[nodiscard]] Actions request();
  [[nodiscard]] Actions plan_accepted();
  [[nodiscard]] Actions plan_refused(const std::string& why);
  // participants: the children that shall serve the candidate.
  [[nodiscard]] Actions opened(const std::vector<ChildId>& participants);
  [[nodiscard]] Actions open_failed(const std::string& why);

  // name is used in the texts: "worker 2".
  [[nodiscard]] Actions child_born(ChildId child, const std::string& name);
  [[nodiscard]] Actions child_ready(ChildId child, uint64_t generation);
  [[nodiscard]] Actions child_failed(ChildId child, uint64_t generation, const std::string& why);
  [[nodiscard]] Actions child_swapped(ChildId child, uint64_t generation);
  // A PREPARE or COMMIT has not been answered in time.
  [[nodiscard]] Actions child_silent(ChildId child);
  // Dead, or told to leave: it takes no further part.
  [[nodiscard]] Actions child_gone(ChildId child, const std::string& why);

  // The server stops: an open reload is given up without a verdict, and no other begins.
  [[nodiscard]] Actions stop();

  uint64_t current() const { return current_; }  // 0: none serves yet
  uint64_t candidate() const { return candidate_; }
  bool busy() const { return phase_ != Phase::kIdle; }

 private:
  enum class Phase : uint8_t { kIdle, kReading, kOpening, kPreparing, kSwapping };
  enum class Step : uint8_t { kSettled, kAsked, kReady, kCommitted };

  struct Member {
    std::string name;
    uint64_t serves = 0;  // generation it has swapped to
    uint64_t asked = 0;   // generation of the handshake under way
    Step step = Step::kSettled;
    bool takes_part = false;  // in the reload under way
  };
  using Members = std::map<ChildId, Member>;

  void prepare(Actions& actions, ChildId id, Member& member, uint64_t generation);
  void settle(Actions& actions, ChildId id, Member& member);
  void commit_when_all_ready(Actions& actions);
  void finish_when_all_swapped(Actions& actions);
  void abort(Actions& actions, const std::string& why);
  void drop_candidate(Actions& actions);
  void finish(Actions& actions, Action verdict);

  Phase phase_ = Phase::kIdle;
  bool again_ = false;  // asked for during a reload
  bool stopping_ = false;
  uint64_t current_ = 0;
  uint64_t candidate_ = 0;
  uint64_t last_number_ = 0;  // never given twice, so that a late answer is recognised
  Members members_;
};

}  // namespace m2
