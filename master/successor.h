// What runs in the launcher of an upgrade: out of the chroot, and the program that is found there
// now, as a process of its own. The launcher waits for its end and ends in the same way, so that
// the master knows the reason; if it is killed the new program goes with it, until that serves.
#pragma once

#include <string>
#include <vector>

#include "master/config_child.h"
#include "master/program.h"

namespace m2 {

struct SuccessorGear {
  std::vector<std::string> environment;  // "NAME=VALUE", added to ours
  std::vector<int> sockets;              // of systemd
  std::string socket_names;
  int channel = -1;  // to the master
};

// Exit status of the launcher.
int launch_successor(const ReaderTask& task, const Origin& origin, const Program& program,
                     const SuccessorGear& gear);

}  // namespace m2
