// The new master's side of an upgrade: what it gets from the one whose place it takes, and when.
// Made by main from the environment; until owns_now() nothing may be touched that the old one
// needs to go on. upgrade.h is the other side.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/channel.h"
#include "common/treaty/upgrade.h"

namespace m2 {

class PredecessorUser {
 public:
  // The pid file is free: take it, and say taken() or refuse().
  virtual void told_to_take_over() = 0;
  // From here on we are the server; the old one only finishes.
  virtual void owns_now() = 0;
  // As MessageType::kClients.
  virtual void clients_handed_over(Message message) = 0;
  // Keys, one a line.
  virtual void endpoints_left(const std::string& keys) = 0;
  // It has ended. Before owns_now(): we are not wanted. The object may be destroyed in the call.
  virtual void predecessor_gone() = 0;

 protected:
  ~PredecessorUser() = default;
};

class Predecessor final : ChannelUser {
 public:
  // null: there is none. expected: the only descriptor that it can have been given as. Reads the
  // environment and removes what it finds there.
  static std::unique_ptr<Predecessor> from_environment(int expected);

  // Says who we are and waits for what it gives. An error: this cannot be an upgrade, and why.
  Status greet();
  std::vector<std::pair<std::string, OwnedFd>> take_sockets() { return std::move(sockets_); }
  uint64_t incarnation() const { return incarnation_; }
  uint64_t verdicts() const { return verdicts_; }
  pid_t pid() const { return pid_; }

  // We do not take its place. Before or after watch().
  void refuse(const std::string& why);
  // Its words go to user from now on. Both outlive this.
  void watch(Loop& loop, PredecessorUser& user);
  void serves(const std::string& text);
  void taken();

 private:
  explicit Predecessor(OwnedFd channel) : fd_(std::move(channel)) {}
  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;

  OwnedFd fd_;  // until watch()
  pid_t pid_ = 0;
  std::vector<std::pair<std::string, OwnedFd>> sockets_;
  uint64_t incarnation_ = 0;
  uint64_t verdicts_ = 0;
  bool taken_ = false;
  bool owner_ = false;
  PredecessorUser* user_ = nullptr;
  std::unique_ptr<Channel> channel_;
};

}  // namespace m2
