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
  uint64_t number = 0;               // meaning depends on the type
  std::string text;                  // at most kMessageTextMax bytes
  std::vector<OwnedFd> descriptors;  // at most kMessageDescriptorsMax
};

class ChannelUser {
 public:
  // Must not destroy the channel. A message that is not well formed ends it: channel_closed.
  virtual void channel_message(Message message) = 0;
  // The peer is gone (or broken), after everything that it sent has been delivered. Always called
  // from the loop, never from inside send(). The channel may be destroyed in the call.
  virtual void channel_closed(const std::string& why) = 0;

 protected:
  ~ChannelUser() = default;
};

class Channel {
 public:
  // user must outlive the channel. fd: one end of channel_pair().
  Channel(Loop& loop, OwnedFd fd, ChannelUser& user);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Messages leave in order. After the peer is gone, sends are dropped.
  void send(Message message);
  // Everything sent has left this process.
  bool all_sent() const { return outbound_.empty(); }

 private:
  void on_ready(int revents);
  void receive();
  void flush();
  void give_up(const std::string& why);
  void fail(const std::string& why);

  Loop& loop_;
  OwnedFd fd_;
  ChannelUser& user_;
  IoWatcher watcher_;
  std::deque<Message> outbound_;
  std::string broken_;  // why nothing more is sent; reported from the loop
};

// Both ends non-blocking and close-on-exec: first for the master, second for the child.
Result<std::pair<OwnedFd, OwnedFd>> channel_pair();

// For a child that has no loop (the config reader): sends and waits until the peer takes it.
Status send_and_wait(int channel, const Message& message);
// For a process that has no loop yet: the next message, if it comes within that time.
Result<Message> receive_within(int channel, int limit_ms);

}  // namespace m2
