// What a process may do, read back from the kernel by system calls alone (a chroot has no /proc).
// Each child sends it to the master once; master/jail_book.h compares it with what was asked, and
// m2sh jail shows it. One line of words in a fixed order; anything else is refused.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/descriptor_kinds.h"
#include "common/status.h"

namespace m2 {

enum class JailRole : uint8_t { kWorker, kRelay, kConfigReader, kResolver, kLog };

struct JailReport {
  uint64_t role = 0;  // a JailRole
  uint64_t pid = 0;
  std::array<uint64_t, 3> uids{};  // real, effective, saved
  std::array<uint64_t, 3> gids{};
  uint64_t groups = 0;  // how many beside gid
  // Of the folder that is "/" for this process.
  uint64_t root_device = 0;
  uint64_t root_inode = 0;
  // Capabilities, a bit for each.
  uint64_t effective = 0;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
  uint64_t bounding = 0;
  uint64_t ambient = 0;
  uint64_t no_new_privs = 0;
  uint64_t seccomp = 0;   // 1: the filter that answers is ours, not one of a container around us
  uint64_t landlock = 0;  // ABI version in force; 0: none
  uint64_t dumpable = 0;
  uint64_t core_bytes = 0;  // RLIMIT_CORE, hard
  DescriptorCounts descriptors{};
  bool operator==(const JailReport&) const = default;
};

// Of the calling process. landlock: the ABI that it has put itself under; it is tried out where
// that can be done without a trace.
Result<JailReport> look_at_jail(JailRole role, unsigned landlock);

// "role=0 pid=17 uid=33,33,33 ..." without a line end.
std::string write_jail_report(const JailReport& report);
Result<JailReport> read_jail_report(std::string_view text);

// In what has is weaker than asked, for people: "capabilities 0x400 remain; seccomp is off". "": in
// nothing. Stronger is as good. The pid is not compared.
std::string weaker_than_asked(const JailReport& asked, const JailReport& has);

}  // namespace m2
