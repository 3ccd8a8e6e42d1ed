// A channel between the master and one child: framed messages with descriptors attached, over a
// SEQPACKET socket pair of one machine. Never blocks: what the peer does not take is queued, up to
// a bound; a peer that lets it grow past the bound is treated as gone.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/messages.h"

namespace m2 {

struct Message {
  MessageType type{};
  uint64_t generation = 0;
  uint32_t slot = 0;
  uint64_t number = 0;         // meaning depends on the type
  std::string text;            // at most kMessageTextMax bytes
  std::vector<OwnedFd> descriptors;  // at most kMessageDescriptorsMax
};

class ChannelUser {
 public:
  // A message that is not well formed ends the channel: channel_closed is called.
  virtual void channel_message(Message message) = 0;
  // The peer is gone (or broken). The channel is dead afterwards; it may be destroyed in the call.
  virtual void channel_closed(const std::string& why) = 0;

 protected:
  ~ChannelUser() = default;
};

class Channel {
 public:
  // user must outlive the channel. fd: one end of channel_pair().
  Channel(Loop& loop, OwnedFd fd, ChannelUser& user);
  ~Channel();
  // Messages leave in order. After the peer is gone, sends are dropped.
  void send(Message message);

 private:
  void on_ready(int revents);
  bool flush();
  void fail(const std::string& why);

  Loop& loop_;
  OwnedFd fd_;
  ChannelUser& user_;
  IoWatcher watcher_;
  std::deque<Message> outbound_;
};

// Both ends non-blocking and close-on-exec: first for the master, second for the child.
Result<std::pair<OwnedFd, OwnedFd>> channel_pair();

}  // namespace m2
