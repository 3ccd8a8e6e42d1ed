// The numbers stand here because the headers that we build with may be older than the kernel that
// we run on; they are part of the kernel's contract and never change.
#include "common/landlock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/owned_fd.h"
#include "common/seccomp_filter.h"

namespace m2 {
namespace {

constexpr unsigned kVersionOfTcp = 4;
constexpr unsigned kVersionMax = 6;  // what we know of

constexpr uint64_t kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3;
constexpr uint64_t kRemoveFile = 1 << 5, kMakeReg = 1 << 8, kMakeSock = 1 << 9;
constexpr uint64_t kTruncate = 1 << 14;
constexpr uint64_t kOnFiles = kWriteFile | kReadFile | kTruncate;

// Everything a version can forbid: what is not handled stays allowed.
uint64_t files_handled(unsigned version) {
  if (version >= 5) return (1 << 16) - 1;  // with ioctl on devices
  if (version >= 3) return (1 << 15) - 1;  // with truncate
  if (version >= 2) return (1 << 14) - 1;  // with links across folders
  return (1 << 13) - 1;
}

constexpr uint64_t kBindTcp = 1, kConnectTcp = 2;
constexpr uint64_t kScopeAbstract = 1, kScopeSignal = 2;

struct RulesetAttributes {
  uint64_t files;
  uint64_t net;
  uint64_t scoped;
};

struct [[gnu::packed]] BeneathAttributes {
  uint64_t allowed;
  int32_t folder;
};

constexpr int kRuleBeneath = 1;
constexpr unsigned kAskVersion = 1;

Status failed(const std::string& what) { return Status::from_errno("Landlock: " + what, errno); }

// Then a rule for it would allow nothing either. Any other answer (no descriptors, no memory, a
// disk that fails) is no answer, and without its rule the process would find its files locked for
// ever.
bool nobody_gets_there(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP;
}

Status allow(int ruleset, const LandlockFolder& folder, uint64_t handled) {
  const OwnedFd place(::open(folder.path.c_str(), O_PATH | O_CLOEXEC));
  struct stat facts;
  if (!place.valid() || ::fstat(place.get(), &facts) != 0) {
    return nobody_gets_there(errno) ? Status() : failed(folder.path);
  }
  BeneathAttributes rule{0, place.get()};
  if ((folder.rights & kMayRead) != 0) rule.allowed |= kReadFile | kReadDir;
  if ((folder.rights & kMayWrite) != 0) {
    rule.allowed |= kWriteFile | kRemoveFile | kMakeReg | kMakeSock | kTruncate;
  }
  if (!S_ISDIR(facts.st_mode)) rule.allowed &= kOnFiles;
  rule.allowed &= handled;
  if (rule.allowed == 0) return {};
  if (::syscall(SYS_landlock_add_rule, ruleset, kRuleBeneath, &rule, 0) != 0) {
    return failed(folder.path);
  }
  return {};
}

// No process of ours may bind TCP, and port 0 of the loopback is nobody's.
Status try_out() {
  const OwnedFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) {
    const bool without_ipv4 = errno == EAFNOSUPPORT || errno == EPERM || errno == EACCES;
    return without_ipv4 ? Status() : failed("try it out");
  }
  sockaddr_in anywhere{};
  anywhere.sin_family = AF_INET;
  anywhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int bound =
      ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&anywhere), sizeof anywhere);
  if (bound != 0 && errno == EACCES) return {};
  return Status::error("Landlock: the kernel said yes, but its rules do not hold");
}

}  // namespace

unsigned landlock_version() {
  if (!kConfinementIsBuilt) return 0;
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion);
  return version > 0 ? std::min(static_cast<unsigned>(version), kVersionMax) : 0;
}

Result<unsigned> enter_landlock(const LandlockRules& rules) {
  const unsigned version = landlock_version();
  if (version == 0) return 0u;
  RulesetAttributes handled{files_handled(version), 0, 0};
  if (version >= kVersionOfTcp) handled.net = kBindTcp | (rules.connect_tcp ? 0 : kConnectTcp);
  if (version >= 6) handled.scoped = kScopeSignal | (rules.abstract_sockets ? 0 : kScopeAbstract);
  const OwnedFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (!ruleset.valid()) return failed("create a ruleset");
  for (const LandlockFolder& folder : rules.folders) {
    if (Status allowed = allow(ruleset.get(), folder, handled.files); !allowed.ok()) return allowed;
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return failed("restrict");
  if (version < kVersionOfTcp) return version;
  if (Status held = try_out(); !held.ok()) return held;
  return version;
}

}  // namespace m2
