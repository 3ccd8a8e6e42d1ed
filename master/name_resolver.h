// The master's end of the resolver: a child that lives for one look-up of the names of all backends
// and can do no harm to the master whatever an answer of DNS contains. What runs in it:
// name_resolver_child.h. The master passes its result on unread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/descriptor_kinds.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/treaty/channel.h"

namespace m2 {

class NameResolverUser {
 public:
  // Sealed addresses for the workers (common/treaty/addresses.h). Not within start().
  virtual void names_looked_up(OwnedFd addresses) = 0;
  // Whether it may go on with what it says it has, given what it was born with (JailBook::judge).
  virtual bool resolver_jailed(const std::string& report, const DescriptorCounts& given) = 0;

 protected:
  ~NameResolverUser() = default;
};

class NameResolver final : private ChannelUser {
 public:
  // What the child does, with the image of the configuration in use and its end of the channel.
  using Body = std::function<int(int image, int channel)>;

  // Everything must outlive the resolver. keep: descriptors that the body needs.
  NameResolver(Loop& loop, Body body, std::vector<int> keep, NameResolverUser& user);
  // Kills a child that still looks.
  ~NameResolver();

  // One look-up. While one is under way, or has just ended, nothing: the workers ask again while
  // they have reason to.
  void start(int image);

 private:
  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;
  void limit_passed();
  void end();

  Loop& loop_;
  const Body body_;
  const std::vector<int> keep_;
  NameResolverUser& user_;
  pid_t pid_ = -1;  // -1: none
  DescriptorCounts given_{};
  bool jailed_ = false;
  unsigned polls_ = 0;  // for its end
  double started_at_s_ = 0;
  TimerWatcher limit_;
  TimerWatcher ended_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace m2
