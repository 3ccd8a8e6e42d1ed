// Counts the peers of one 0MQ socket whose handshake is complete: who is really there, which plain
// 0MQ hides. Used by PeerGate and by the relay; reads libzmq's socket monitor.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/link/drop_counter.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

class ZmqMonitorUser {
 public:
  // Something happened to the peers of the watched socket; peers() may have changed.
  virtual void peers_changed() = 0;

 protected:
  ~ZmqMonitorUser() = default;
};

// From the events of one socket to its number of peers. libzmq names the descriptor when a
// connection begins and ends, but not when its handshake succeeds, and is silent about some that
// fail.
class PeerCount {
 public:
  void began(int fd) { waiting_.push_back(fd); }
  void handshaken();
  // True: it had no handshake.
  bool ended(int fd);
  size_t peers() const { return known_.size() + unknown_; }
  // The connections of all peers, and while it is not certain of which, others besides.
  std::vector<int> connections() const;

 private:
  void settle();

  std::vector<int> waiting_;  // connections that may or may not be handshaken
  std::vector<int> known_;    // connections that are
  size_t unknown_ = 0;        // how many of waiting_ are
};

class ZmqMonitor final : ZmqSocketUser {
 public:
  // To be opened before the watched socket is bound or connected, and destroyed before it.
  static Result<std::unique_ptr<ZmqMonitor>> open(Loop& loop, ZmqContext& context,
                                                  ZmqSocket& watched, ZmqMonitorUser& user);
  ~ZmqMonitor();

  size_t peers() const { return count_.peers(); }
  // How many peers have not yet read all that we sent them. Known of ipc only: tcp tells what has
  // arrived, late, and not what was read.
  size_t unread() const;
  // Learns of everything that has happened until now: what a peer did before it said something.
  void catch_up() { socket_->catch_up(); }

 private:
  ZmqMonitor(ZmqSocket& watched, ZmqMonitorUser& user) : watched_(watched), user_(user) {}
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>&, bool) override {}
  void zmq_parts(ZmqSocket&, std::vector<ZmqMessage>& parts) override;
  void keep_room(int fd);
  void refused(int fd, std::string_view endpoint);

  ZmqSocket& watched_;
  ZmqMonitorUser& user_;
  std::unique_ptr<ZmqSocket> socket_;
  PeerCount count_;
  DropCounter no_room_;
  std::map<int, std::string> accepted_;  // who they are, by connection; "": gone before we looked
  std::string why_;                      // of the handshake that failed last
  KindCounter refused_;
};

}  // namespace m2
