// The table of children: one relay, and a worker for each slot. Starts them, hears them, notices
// their death, starts the next one when it is due. What their messages mean is the supervisor's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/treaty/channel.h"
#include "common/treaty/child.h"
#include "master/reap.h"

namespace m2 {

class Children;

// One living child. It is gone when its process has ended and everything it said has been heard.
class Child final : public ChannelUser {
 public:
  Child(Children& children, Loop& loop, const ChildStart& start, pid_t pid, OwnedFd channel);
  ~Child();

  Role role() const { return role_; }
  unsigned slot() const { return slot_; }
  uint64_t id() const { return incarnation_; }  // unique, over restarts of the server too
  pid_t pid() const { return pid_; }
  std::string name() const;  // "worker 2", "relay"

  void send(Message message) { channel_.send(std::move(message)); }
  // An answer (or its end) is due; child_silent() is called when it does not come.
  void expect_answer(uint64_t limit_ms);
  void answered() { limit_.stop(); }
  bool owes_answer() const { return limit_.active(); }
  // Graceful end: it is told, and killed when it is still there after that time.
  void drain(uint64_t limit_ms) { leave(MessageType::kDrain, limit_ms); }
  // There is no place for it in the generation that serves now.
  void retire(uint64_t limit_ms) { leave(MessageType::kRetire, limit_ms); }
  void kill();

  void mark_served(uint64_t generation, double now_s);

  bool leaving = false;  // told to drain or killed by us: no reason to start another in its place
  uint64_t serves = 0;   // generation; 0: none yet
  bool jailed = false;   // has proved that it gave up what it should
  DescriptorCounts given{};  // descriptors
  bool announced = false;    // the relay knows this worker
  uint64_t connections = 0;  // as it last said
  double served_since_s = 0;
  unsigned silent_looks = 0;  // of the heartbeat watch, since it last said anything

 private:
  friend class Children;
  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;
  void leave(MessageType how, uint64_t limit_ms);
  void limit_passed();

  Children& children_;
  Loop& loop_;
  const Role role_;
  const unsigned slot_;
  const uint64_t incarnation_;
  const pid_t pid_;
  std::optional<int> exit_status_;
  bool closed_ = false;
  TimerWatcher limit_;
  Channel channel_;
};

class ChildrenUser {
 public:
  // Fill in log files and level for a child that is about to be forked.
  virtual void equip_child(ChildStart& start) = 0;
  virtual void child_born(Child& child) = 0;
  virtual void child_message(Child& child, Message message) = 0;
  virtual void child_silent(Child& child) = 0;
  // It is destroyed after the call. why: "killed by signal 9 (Killed)".
  virtual void child_gone(Child& child, const std::string& why) = 0;

 protected:
  ~ChildrenUser() = default;
};

class Children {
 public:
  // The same for every child of this server.
  struct Kit {
    Jail jail;
    std::string run_directory;
    std::function<int(ChildStart)> worker_main;
    std::function<int(ChildStart)> relay_main;
  };

  Children(Loop& loop, Kit kit, ChildrenUser& user);
  ~Children();

  // From now on a relay and this many workers are wanted. Starts at once what is missing, also what
  // waits for its restart delay; an error leaves those that were started.
  Status staff(unsigned workers);
  // Only this many workers are wanted any more; the others drain and are not replaced.
  void retire(unsigned workers, uint64_t drain_ms);
  // Nobody is replaced any more.
  void stop_replacing();
  void kill_all();

  // The highest id() so far, and where the first one begins: after those of another master.
  uint64_t latest_incarnation() const { return incarnations_.latest(); }
  void begin_after(uint64_t incarnation) { incarnations_.begin_after(incarnation); }

  // After SIGCHLD: looks which of them have ended.
  void reap();

  Child* find(uint64_t id);
  Child* relay() { return seats_[0]->child.get(); }
  bool empty() const;
  // Calls back for each living child, relay first; must not destroy one.
  void each(const std::function<void(Child&)>& call);

 private:
  friend class Child;

  // A place a child can have. At most one child has it, also while that one still drains: its slot
  // is part of connection ids that handlers know.
  struct Seat {
    Seat(Children& table, Role its_role, unsigned its_slot)
        : children(table), role(its_role), slot(its_slot) {}
    void restart_due();

    Children& children;
    const Role role;
    const unsigned slot;
    bool wanted = false;
    std::unique_ptr<Child> child;
    RestartDelay delay;
    OwnedFd told;  // of the worker: what it leaves to the next one here
    TimerWatcher timer;
  };

  Status start(Seat& seat);
  void start_later(Seat& seat, unsigned delay_ms);
  void look_whether_gone(Child& child);

  Loop& loop_;
  const Kit kit_;
  ChildrenUser& user_;
  Incarnations incarnations_;
  std::vector<std::unique_ptr<Seat>> seats_;  // [0] the relay, [1 + slot] the workers
};

}  // namespace m2
