// What a child of the master begins with, and the three roles a child can have. The master forks
// and calls one of the *_main functions; it returns the exit status of the child.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/jail.h"
#include "common/log.h"
#include "common/owned_fd.h"

namespace m2 {

// Of ChildStart::told: a head, and twice a table of a million connections. What nobody writes to
// takes no memory.
inline constexpr size_t kToldMemoryBytes = 4096 + 2 * (size_t{16} << 20);

enum class Role : uint8_t { kConfigReader, kRelay, kWorker };

struct ChildStart {
  Role role = Role::kWorker;
  // Workers: 0 .. workers-1. It is part of every connection id the worker gives out.
  unsigned slot = 0;
  // Grows with every child of the master, over restarts of the server too (milliseconds since
  // 2020): the first connection id of a worker is made from it, so that ids never come back.
  uint64_t incarnation = 0;
  OwnedFd channel;     // SEQPACKET to the master (channel.h)
  OwnedFd error_log;   // O_APPEND
  OwnedFd access_log;  // workers; may be invalid: no access log
  // Workers: memory that goes from the one that died to the one in its place
  // (worker/link/told_table.h).
  OwnedFd told;
  LogLevel log_level = LogLevel::kInfo;
  Jail jail;                  // what to give up before the first foreign byte
  std::string run_directory;  // inside the jail, no trailing '/'; private 0MQ endpoints live there
};

int worker_main(ChildStart start);  // worker/main.cc
int relay_main(ChildStart start);   // worker/relay/main.cc

}  // namespace m2
