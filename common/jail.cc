#include "common/jail.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/jail_roles.h"

namespace m2 {
namespace {

Status failed(const std::string& what) { return Status::from_errno("jail: " + what, errno); }

// Needs CAP_SETPCAP, which is root's, so it comes before the drop of ids. Without it the set stays,
// and no_new_privs keeps it from meaning anything.
Status empty_bounding_set() {
  for (unsigned long number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0) continue;
    return errno == EPERM ? Status() : failed("PR_CAPBSET_DROP");
  }
  return {};
}

Status drop_ids(const Jail& jail) {
  if (jail.uid == 0) return Status::error("jail: asked to drop privileges to root");
  if (::chdir("/") != 0) return failed("chdir /");
  if (::setgroups(0, nullptr) != 0) return failed("setgroups");
  if (Status emptied = empty_bounding_set(); !emptied.ok()) return emptied;
  if (::setresgid(jail.gid, jail.gid, jail.gid) != 0) {
    return failed("setgid " + std::to_string(jail.gid));
  }
  if (::setresuid(jail.uid, jail.uid, jail.uid) != 0) {
    return failed("setuid " + std::to_string(jail.uid));
  }
  return {};
}

// Nobody keeps one that he need not have, also not a root who stays root, or an ordinary user whom
// systemd gave CAP_NET_BIND_SERVICE for the master's sake.
Status drop_capabilities(uint64_t keeps) {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
    return failed("PR_CAP_AMBIENT");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return failed("capget");
  for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
    sets[half].permitted &= static_cast<uint32_t>(keeps >> (32 * half));
    sets[half].effective &= sets[half].permitted;
    sets[half].inheritable = 0;
  }
  return ::syscall(SYS_capset, &header, sets) == 0 ? Status() : failed("capset");
}

// Handlers often run as the same user: none of them may read this memory or trace this process, and
// no core file with requests and keys of strangers is left in the chroot. Whoever starts his own
// server as an ordinary user may look into it.
Status forbid_looking_in() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("PR_SET_DUMPABLE");
  const rlimit none{0, 0};
  return ::setrlimit(RLIMIT_CORE, &none) == 0 ? Status() : failed("RLIMIT_CORE");
}

Status try_the_way_back(const Jail& jail) {
  if (::setuid(0) == 0 || ::seteuid(0) == 0) return Status::error("jail: root can be regained");
  if (jail.gid != 0 && ::setgid(0) == 0) return Status::error("jail: group 0 can be regained");
  return {};
}

Result<unsigned> confine_files(const Jail& jail, const JailRules& rules,
                               const std::vector<std::string>& writable) {
  if (!jail.landlock) return 0u;
  LandlockRules wanted;
  wanted.connect_tcp = rules.connect_tcp;
  wanted.abstract_sockets = rules.abstract_sockets;
  if (rules.below_folder != 0) wanted.folders.push_back({".", rules.below_folder});
  if (rules.below_root != 0) wanted.folders.push_back({"/", rules.below_root});
  for (const std::string& path : writable) {
    wanted.folders.push_back({path, kMayRead | kMayWrite});
  }
  return enter_landlock(wanted);
}

}  // namespace

Result<JailReport> enter_jail(const Jail& jail, JailRole role,
                              const std::vector<std::string>& writable) {
  const JailRules& rules = jail_rules(role);
  const bool is_root = ::geteuid() == 0;
  if (jail.drop) {
    if (Status dropped = drop_ids(jail); !dropped.ok()) return dropped;
  } else if (Status emptied = empty_bounding_set(); !emptied.ok()) {
    return emptied;
  }
  Status entered = drop_capabilities(jail.drop ? 0 : rules.root_keeps);
  if (entered.ok() && (jail.drop || is_root)) entered = forbid_looking_in();
  if (entered.ok() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    entered = failed("PR_SET_NO_NEW_PRIVS");
  }
  if (entered.ok() && jail.drop) entered = try_the_way_back(jail);
  if (!entered.ok()) return entered;
  const Result<unsigned> landlock = confine_files(jail, rules, writable);
  if (!landlock.ok()) return Status::error("jail: " + landlock.message());
  if (jail.seccomp) {
    if (Status filtered = enter_filter(rules.calls); !filtered.ok()) {
      return Status::error("jail: " + filtered.message());
    }
  }
  return look_at_jail(role, landlock.value());
}

}  // namespace m2
