// The old master's side of an upgrade: starts the program that is to take its place, gives it what
// it needs, hears how it comes up, and hands over. Nothing of the running server changes before
// successor_took_over(). When to begin and what follows is the supervisor's. docs/upgrade.md.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/channel.h"
#include "common/treaty/upgrade.h"

namespace m2 {

class UpgradeUser {
 public:
  // It serves beside us. The pid file is to be let go in the call.
  virtual void successor_serves() = 0;
  // It has the pid file. The service manager is to be told in the call.
  virtual void successor_took_over() = 0;
  // It came to nothing; everything is as it was but for the pid file, if that was let go.
  virtual void upgrade_refused(const std::string& why) = 0;

 protected:
  ~UpgradeUser() = default;
};

class Upgrade final : ChannelUser {
 public:
  struct Start {
    // What the launcher does: it runs the new program with this end of the channel, waits for its
    // end, and ends in the same way.
    std::function<int(int channel)> launch;
    std::vector<int> keep;  // descriptors that launch needs
    std::vector<std::pair<std::string, OwnedFd>> sockets;
    uint64_t incarnation = 0;
    uint64_t verdicts = 0;
    uint64_t hello_ms = 0;   // for the new program to say that it knows what is wanted of it
    uint64_t serves_ms = 0;  // from then on, for its first generation
  };

  // Both outlive it.
  Upgrade(Loop& loop, UpgradeUser& user) : loop_(loop), user_(user) {}
  ~Upgrade();

  Status begin(Start start);
  // Gives it up without a word: the server stops.
  void cancel();
  bool under_way() const { return state_ != State::kNone && state_ != State::kDone; }
  bool done() const { return state_ == State::kDone; }
  pid_t successor() const { return successor_; }
  // After SIGCHLD.
  void reap();

  // Done: what the successor is given while we finish. Clients are dropped when it has gone.
  void pass_on(Message clients);
  void endpoints_left(std::string keys);
  bool all_sent() const { return channel_ == nullptr || channel_->all_sent(); }

 private:
  enum class State : uint8_t { kNone, kStarted, kPreparing, kHandingOver, kDone };

  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;
  void hello(const Message& message);
  void offer();
  void served();
  void taken();
  void refuse(const std::string& why);
  void limit_passed();
  void look_why();
  void wait_for(State state, uint64_t limit_ms);
  void end_launcher();
  void forget();

  Loop& loop_;
  UpgradeUser& user_;
  State state_ = State::kNone;
  Start start_;
  pid_t launcher_ = -1;
  std::optional<int> launcher_status_;
  pid_t successor_ = -1;
  std::string failure_;  // its last word, or what we know better
  TimerWatcher limit_;
  TimerWatcher why_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace m2
