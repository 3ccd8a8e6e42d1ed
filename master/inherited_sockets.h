// Listening sockets that systemd made for us (socket activation, sd_listen_fds(3)): found at the
// start, matched to the places where the configuration listens by their addresses. They are
// systemd's: kept open for as long as the server lives, never shut down, their files never removed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/owned_fd.h"
#include "master/endpoint.h"

namespace m2 {

class InheritedSockets {
 public:
  // The first descriptor that is passed, and the most that count.
  static constexpr int kFirst = 3;
  static constexpr int kMost = 1024;

  InheritedSockets() = default;
  // Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, removes them from the environment, and takes
  // the descriptors kFirst, kFirst + 1, ... Nothing when they are meant for another process.
  static InheritedSockets from_environment();

  // The folder in which relative paths of unix sockets lie.
  void set_folder(std::string folder) { folder_ = std::move(folder); }

  // A duplicate of the one that listens there. 0.0.0.0:80 is content with [::]:80 of both families,
  // which is what "ListenStream=80" means. Invalid: none does, or no descriptors are left (errno).
  OwnedFd find(const Endpoint& endpoint) const;
  // Lines for the log: what was passed and none of these places is.
  std::vector<std::string> unused(const std::vector<Endpoint>& places) const;

  // For who starts another program in our place: the descriptors, in their order, and the names
  // systemd gave them, as in LISTEN_FDNAMES.
  std::vector<int> descriptors() const;
  std::string names() const;
  size_t size() const { return sockets_.size(); }

 private:
  struct Socket {
    OwnedFd fd;
    std::string name;   // of its socket unit; "" : not said
    Endpoint endpoint;  // where it is bound; family() AF_UNSPEC: it is of no use
    std::string shown;  // "tcp://0.0.0.0:80", or what is wrong with it
    bool both_families = false;
  };
  static Socket look_at(OwnedFd fd, std::string name);
  bool same_place(const Socket& socket, const Endpoint& endpoint) const;

  std::string folder_;
  std::vector<Socket> sockets_;
};

}  // namespace m2
