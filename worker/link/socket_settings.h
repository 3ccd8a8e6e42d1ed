// The settings that 0MQ sockets have for life. A reload cannot change them for a pair that is open:
// libzmq never sends again on a connection that was full when its mark grew. So the first worker
// says in the log what stays as it was.
#pragma once

#include <array>
#include <string>

#include "common/config/settings.h"
#include "common/log.h"

namespace m2 {

class SocketSettings {
 public:
  // Of a generation that is being built.
  void take(const Settings& settings) {
    for (Entry& entry : entries_) entry.next = settings.number(entry.key);
  }
  // It is in use from now on.
  void commit() {
    for (Entry& entry : entries_) {
      if (entry.value != 0 && entry.value != entry.next) {
        log_warn(std::string(entry.key) + "=" + std::to_string(entry.next) +
                 " (before: " + std::to_string(entry.value) + "): " + entry.from_when);
      }
      entry.value = entry.next;
    }
  }

 private:
  static constexpr const char* kPairs =
      "handler pairs that are open keep what they have until one of their endpoints changes or the "
      "server restarts";
  struct Entry {
    const char* key;
    const char* from_when;
    int64_t value = 0;  // 0: none yet
    int64_t next = 0;
  };
  std::array<Entry, 3> entries_{Entry{"handler.send_mark", kPairs},
                                Entry{"handler.recv_mark", kPairs},
                                Entry{"zeromq.threads", "takes effect when the server restarts"}};
};

}  // namespace m2
