// One connection that pulls messages from a ZmtpPush: its handshake, what waits for it, its end.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "proto/zmtp/frame.h"
#include "worker/link/push_socket.h"

namespace m2 {

class ZmtpPeer;

class ZmtpPeerUser {
 public:
  // Its handshake is complete.
  virtual void peer_ready(ZmtpPeer& peer) = 0;
  // It has room again.
  virtual void peer_writable(ZmtpPeer& peer) = 0;
  // why: what was wrong; empty: it has left. It may be destroyed in the call.
  virtual void peer_ended(ZmtpPeer& peer, std::string_view why) = 0;

 protected:
  ~ZmtpPeerUser() = default;
};

class ZmtpPeer {
 public:
  // The loop and the user outlive it. send_mark: messages that may wait here; 0: no limit.
  ZmtpPeer(Loop& loop, OwnedFd connection, PeerId id, std::string address, uint32_t send_mark,
           ZmtpPeerUser& user);

  PeerId id() const { return id_; }
  const std::string& address() const { return address_; }
  bool ready() const { return state_ == State::kReady; }
  bool has_room() const {
    return ready() && !broken_ && (send_mark_ == 0 || waiting_.size() < send_mark_);
  }
  // Keeps the message until flush(). Only while there is room.
  void put(ConnectionId id, QueuedKind kind, ZmqMessage& message);
  // Gives the kernel what it takes now; the rest follows by itself.
  void flush();
  size_t unsent() const { return waiting_.size(); }
  // What has not left whole, in order.
  std::vector<PushMessage> take_unsent();

  int owes = 0;        // answers
  bool dirty = false;  // to be flushed at the end of the turn

 private:
  enum class State : uint8_t { kGreeting, kHandshake, kReady };
  struct Frame {
    std::array<char, kZmtpFrameHeadMax> head;
    size_t head_bytes;
    bool command;
    PushMessage message;
  };
  void on_event(int events);
  void on_deadline();
  bool read();
  std::string_view take_input();
  std::string_view take_command(std::string_view body);
  void answer_ping(std::string_view context);
  void sent(size_t bytes);
  void write_now(std::string_view bytes);
  void failed();

  Loop& loop_;
  const OwnedFd connection_;
  const PeerId id_;
  const std::string address_;
  const uint32_t send_mark_;
  ZmtpPeerUser& user_;
  State state_ = State::kGreeting;
  bool broken_ = false;  // its end is still to be read
  std::string input_;
  std::vector<Frame> waiting_;
  size_t offset_ = 0;  // of the first one, so many bytes have left
  IoWatcher watcher_;
  TimerWatcher deadline_;
};

}  // namespace m2
