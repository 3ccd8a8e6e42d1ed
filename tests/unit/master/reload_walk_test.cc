// Goal: no order of events breaks the rules of a reload. Method: random walks, always the same
// ones, with children that keep the protocol but die, hang, refuse and are born when they like.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "master/reload.h"

namespace m2 {
namespace {

using Kind = Reload::Action::Kind;

// A world around one Reload, which checks every action against what a child or a server may expect.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {}

  void walk(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
    calm_down();
  }

 private:
  struct FakeChild {
    uint64_t prepared = 0;  // candidate it holds
    bool ready = false;
    bool committed = false;
    uint64_t serves = 0;
    bool killed = false;
  };

  bool one_in(unsigned n) { return random_() % n == 0; }

  void take(const Reload::Actions& actions) {
    for (const Reload::Action& action : actions) act(action);
  }

  void act(const Reload::Action& action) {
    const auto found = children_.find(action.child);
    if (action.child != 0 && found == children_.end()) return;
    FakeChild* child = action.child == 0 ? nullptr : &found->second;
    switch (action.kind) {
      case Kind::kRead:
        EXPECT_FALSE(reading_);
        EXPECT_FALSE(open_);
        reading_ = true;
        break;
      case Kind::kOpen:
        EXPECT_GT(action.generation, last_opened_);  // numbers are never used twice
        last_opened_ = action.generation;
        open_ = true;
        break;
      case Kind::kPrepare:
        EXPECT_EQ(child->prepared, 0u) << "two candidates in one child";
        EXPECT_TRUE(action.generation == serving_ || action.generation == last_opened_);
        *child = {.prepared = action.generation, .serves = child->serves, .killed = child->killed};
        break;
      case Kind::kCommit:
        EXPECT_EQ(child->prepared, action.generation);
        EXPECT_TRUE(child->ready);
        child->committed = true;
        if (action.generation == last_opened_ && action.generation != serving_) {
          for (const uint64_t id : participants_) {
            EXPECT_TRUE(children_.contains(id)) << "committed although one had died";
            EXPECT_TRUE(children_[id].ready && children_[id].prepared == action.generation)
                << "committed although one was not ready";
          }
          committing_ = true;
        }
        break;
      case Kind::kAbort:
        EXPECT_FALSE(child->committed) << "aborted after COMMIT";
        child->prepared = 0;
        child->ready = false;
        break;
      case Kind::kKill:
        child->killed = true;
        break;
      case Kind::kAdopt:
        EXPECT_TRUE(committing_ || participants_.empty());
        serving_ = action.generation;
        break;
      case Kind::kDiscard:
        EXPECT_FALSE(committing_);
        open_ = false;
        break;
      case Kind::kServes:
        EXPECT_EQ(action.generation, serving_);
        for (const uint64_t id : participants_) {
          const bool lives = children_.contains(id);
          EXPECT_TRUE(!lives || children_[id].serves == serving_);
        }
        verdict();
        break;
      case Kind::kRefused:
        EXPECT_EQ(action.generation, serving_);
        EXPECT_FALSE(committing_) << "refused after COMMIT";
        verdict();
        break;
    }
  }

  void verdict() {
    ++verdicts_;
    reading_ = open_ = committing_ = false;
    participants_.clear();
  }

  void step() {
    switch (random_() % 8) {
      case 0:
        if (one_in(4)) take(reload_.request());
        break;
      case 1:
        if (reading_) answer_reader();
        break;
      case 2:
        if (open_ && participants_.empty() && reload_.busy() && !committing_) answer_open();
        break;
      case 3:
        if (children_.size() < 4) bear();
        break;
      default:
        if (!children_.empty()) {
          auto it = children_.begin();
          std::advance(it, static_cast<long>(random_() % children_.size()));
          child_acts(it->first, it->second, one_in(12), one_in(15));
        }
    }
  }

  void answer_reader() {
    reading_ = false;
    take(one_in(4) ? reload_.plan_refused("no") : reload_.plan_accepted());
  }

  void answer_open() {
    if (one_in(4)) {
      take(reload_.open_failed("no"));
      return;
    }
    for (const auto& [id, child] : children_) participants_.insert(id);
    take(reload_.opened({participants_.begin(), participants_.end()}));
  }

  void bear() {
    const uint64_t id = ++last_id_;
    children_[id] = {};
    take(reload_.child_born(id, "child " + std::to_string(id)));
  }

  void child_acts(uint64_t id, FakeChild& child, bool dies, bool fails) {
    if (dies || child.killed) {
      children_.erase(id);
      const Reload::Actions actions = reload_.child_gone(id, "died");
      take(actions);
    } else if (child.committed) {
      const uint64_t generation = child.prepared;
      child = {.serves = generation};
      take(reload_.child_swapped(id, generation));
    } else if (child.prepared != 0 && fails) {
      take(one_in(2) ? reload_.child_silent(id) : reload_.child_failed(id, child.prepared, "no"));
    } else if (child.prepared != 0 && !child.ready) {
      child.ready = true;
      take(reload_.child_ready(id, child.prepared));
    }
  }

  // From here on nobody misbehaves: everything must come to rest, on one generation.
  void calm_down() {
    for (int i = 0; i < 200; ++i) {
      if (reading_) {
        reading_ = false;
        take(reload_.plan_accepted());
      }
      if (open_ && participants_.empty() && !committing_ && reload_.busy()) {
        for (const auto& [id, child] : children_) participants_.insert(id);
        take(reload_.opened({participants_.begin(), participants_.end()}));
      }
      std::set<uint64_t> ids;
      for (const auto& [id, child] : children_) ids.insert(id);
      for (const uint64_t id : ids) child_acts(id, children_[id], false, false);
    }
    EXPECT_FALSE(reload_.busy());
    for (const auto& [id, child] : children_) EXPECT_EQ(child.serves, reload_.current());
  }

  std::mt19937 random_;
  Reload reload_;
  std::map<uint64_t, FakeChild> children_;
  std::set<uint64_t> participants_;
  uint64_t last_id_ = 0;
  uint64_t last_opened_ = 0;
  uint64_t serving_ = 0;
  bool reading_ = false;
  bool open_ = false;
  bool committing_ = false;
  int verdicts_ = 0;
};

TEST(ReloadWalk, NoOrderOfEventsBreaksTheRules) {
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed).walk(400);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace m2
