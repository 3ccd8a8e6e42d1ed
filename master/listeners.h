// Every public socket of the server, HTTP and 0MQ alike: made, bound and kept by the master as long
// as some generation needs it. Children get duplicates; nobody else ever binds one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/plan.h"
#include "master/inherited_sockets.h"
#include "master/privileges.h"

namespace m2 {

class Listeners {
 public:
  struct Count {
    unsigned listeners = 0;  // HTTP
    unsigned endpoints = 0;  // 0MQ, the control port among them
    std::string no_control;  // why the control port, which is optional, was not opened
  };

  // Takes a client that had connected to a listener and that no worker has accepted.
  using TakeClient = std::function<void(OwnedFd client, const PlanListener& listener)>;

  // jail: who shall own the files of ipc endpoints. inherited: used wherever it has a socket.
  explicit Listeners(const Jail& jail, InheritedSockets inherited = {})
      : jail_(jail), inherited_(std::move(inherited)) {}
  ~Listeners() { close_all(); }
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  // Opens what the plan needs and is not open yet; all of it or nothing. An error names the
  // endpoint, the reason and the way out.
  Result<Count> open(const Plan& plan);
  // Closes what the plan does not need, with its socket file; whoever has connected there already
  // is given to take. What stays gets the backlog and the file mode of the plan.
  Count keep_only(const Plan& plan, const TakeClient& take);
  // Graceful stop: nothing new is accepted, handlers stay reachable.
  void close_http();
  void close_all();

  // Key as in plan.h. -1: not open.
  int fd(const std::string& key) const;
  const InheritedSockets& inherited() const { return inherited_; }
  // Lines for the log: sockets that systemd passed and nothing that is open uses.
  std::vector<std::string> unused() const;

  // Upgrade. To a successor: every socket that is open, but for those of systemd. None of their
  // files is ours any more once they are disowned.
  std::vector<std::pair<std::string, OwnedFd>> duplicates() const;
  void disown() { owned_ = false; }
  // From a predecessor, before the first open(): it counts as open. Until own() the files belong to
  // the predecessor, and what no plan needs stays open.
  void adopt(const std::string& key, OwnedFd socket);
  void own();

  // The keys of a plan that a worker, or the relay, is offered.
  static std::vector<std::string> worker_keys(const Plan& plan, unsigned users);
  static std::vector<std::string> relay_keys(const Plan& plan, unsigned users);

 private:
  struct Socket {
    OwnedFd fd;
    bool http = false;
    PlanListener listener;  // http
    uint32_t backlog = 0;   // http
    uint16_t port = 0;      // tcp
    std::string path;       // of the socket file; "" for tcp
    dev_t device = 0;       // which file it was, so that only ours is removed
    ino_t inode = 0;
    bool systemds = false;  // with its own backlog, mode and file
  };

  struct Wanted;
  static std::vector<Wanted> wanted_by(const Plan& plan);
  Result<Socket> listen_on(const Wanted& wanted) const;
  static void remember_file(Socket& socket, const std::string& path);
  Status give_away(const Socket& socket, const IpcAccess& access) const;
  Status bind_and_listen(const Wanted& wanted, Socket& socket) const;
  bool share_port(bool on, uint16_t port, int with) const;
  void adjust(Socket& socket, const Wanted& wanted) const;
  bool file_is_ours(const Socket& socket) const;
  void remove_file(const Socket& socket) const;
  void close(Socket& socket) const;

  const Jail jail_;
  const InheritedSockets inherited_;
  std::map<std::string, Socket> open_;
  bool owned_ = true;  // false while another master answers for what is open
};

}  // namespace m2
