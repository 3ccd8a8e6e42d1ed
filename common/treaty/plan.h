// The plan: what the master itself must know of a configuration, and nothing else. The config
// reader writes it, the master reads it; the master never looks into the image. Both ends stand
// side by side. A fixed sequence of length-prefixed fields; anything else is refused.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/status.h"

namespace m2 {

// Where clients come in.
struct PlanListener {
  std::string spec;             // "tcp://127.0.0.1:6767", "tcp://[::]:80", "unix:run/web"
  uint32_t mode = 0;            // unix: permissions of its file
  bool proxy_protocol = false;  // the master needs it for clients that it passes on
  bool operator==(const PlanListener&) const = default;
};

struct Plan {
  std::string uuid;
  std::string name;
  std::string chroot;
  std::string access_log;  // "" : none
  std::string error_log;
  std::string pid_file;
  int error_log_level = 2;
  uint32_t workers = 0;  // 0: as many as there are cores
  bool daemonize = true;
  bool allow_root = false;  // serve as root when the chroot belongs to root
  bool landlock = true;     // whether children are confined by it (jail.h)
  bool seccomp = true;
  std::string upload_folder;  // where upload.temp_store is absolute; "" : it is not
  uint32_t drain_ms = 0;      // limit of a graceful stop
  uint32_t prepare_ms = 0;    // limit for all children to answer PREPARE
  uint32_t handlers_ms = 0;   // upgrade: limit for letting handlers go
  std::string control_port;   // 0MQ endpoint; "" : none
  std::vector<PlanListener> listeners;
  uint32_t backlog = 0;  // of each listener
  // 0MQ, bound by the master: send_spec and recv_spec of each pair.
  std::vector<std::string> endpoints;
  IpcAccess ipc;              // of those that are files
  uint32_t file_limit = 0;    // RLIMIT_NOFILE wanted (superpoll.max_fd)
  uint32_t heartbeat_ms = 0;  // a child that says nothing for so long is killed
  std::string changes;        // against the configuration in use, for people; "" : there was none
  bool operator==(const Plan&) const = default;
};

// A unix listener's path, relative to the folder of the server like all others: "unix:/run/web" and
// "unix:run/web" are the same. "": the address is none of a unix listener.
std::string unix_path(std::string_view address);

Plan make_plan(const Config& config);
std::string write_plan(const Plan& plan);
Result<Plan> read_plan(std::string_view bytes);

// Keys under which the master offers descriptors to children.
//   "http tcp://127.0.0.1:6767"   listening HTTP socket      -> workers (also "http unix:run/web")
//   "zmq ipc://run/handler"       listening 0MQ socket       -> the worker; with several, the relay
//   "control ipc://run/control"   listening 0MQ socket       -> relay
std::string http_key(std::string_view listener);
std::string zmq_key(std::string_view endpoint);
std::string control_key(std::string_view endpoint);

// Keys in a message, one a line.
template <typename Visit>
void for_each_key(std::string_view keys, Visit visit) {
  while (!keys.empty()) {
    const std::string_view key = keys.substr(0, keys.find('\n'));
    keys.remove_prefix(std::min(keys.size(), key.size() + 1));
    visit(key);
  }
}

enum class PrivateSide : uint8_t { kRequests, kReplies };
// The private 0MQ endpoint of one worker for one handler pair when there is more than one worker:
// "ipc://<run>/m2-<slot>-<incarnation>-<pair>-q" (requests) or "-r" (replies). <pair> is the same
// over generations: it is made from the two specs, not from a row number. A run directory of up to
// 50 bytes gives a path below 100.
std::string private_endpoint(std::string_view run_directory, unsigned slot, uint64_t incarnation,
                             std::string_view send_spec, std::string_view recv_spec,
                             PrivateSide side);

// The private 0MQ endpoint where a worker answers questions of the relay.
std::string query_endpoint(std::string_view run_directory, unsigned slot, uint64_t incarnation);

}  // namespace m2
