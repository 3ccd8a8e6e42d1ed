#include "common/jail.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace m2 {
namespace {

Status failed(const std::string& what) { return Status::from_errno("jail: " + what, errno); }

// The system calls said yes; look at what this process really is, and try the way back.
Status verify_dropped(const Jail& jail) {
  uid_t real_user, effective_user, saved_user;
  gid_t real_group, effective_group, saved_group;
  if (::getresuid(&real_user, &effective_user, &saved_user) != 0) return failed("getresuid");
  if (::getresgid(&real_group, &effective_group, &saved_group) != 0) return failed("getresgid");
  if (real_user != jail.uid || effective_user != jail.uid || saved_user != jail.uid) {
    return Status::error("jail: user ids are not all " + std::to_string(jail.uid));
  }
  if (real_group != jail.gid || effective_group != jail.gid || saved_group != jail.gid) {
    return Status::error("jail: group ids are not all " + std::to_string(jail.gid));
  }
  if (::getgroups(0, nullptr) != 0) return Status::error("jail: supplementary groups remain");
  if (::setuid(0) == 0 || ::seteuid(0) == 0) return Status::error("jail: root can be regained");
  if (jail.gid != 0 && ::setgid(0) == 0) return Status::error("jail: group 0 can be regained");

  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return failed("capget");
  for (const auto& set : sets) {
    if ((set.effective | set.permitted) != 0) return Status::error("jail: capabilities remain");
  }
  return {};
}

Status drop_ids(const Jail& jail) {
  if (jail.uid == 0) return Status::error("jail: asked to drop privileges to root");
  if (::chdir("/") != 0) return failed("chdir /");
  if (::setgroups(0, nullptr) != 0) return failed("setgroups");
  if (::setresgid(jail.gid, jail.gid, jail.gid) != 0) {
    return failed("setgid " + std::to_string(jail.gid));
  }
  if (::setresuid(jail.uid, jail.uid, jail.uid) != 0) {
    return failed("setuid " + std::to_string(jail.uid));
  }
  // Handlers often run as the same user: none of them may read this memory or trace this process,
  // and no core file with requests and keys of strangers is left in the chroot.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("PR_SET_DUMPABLE");
  return verify_dropped(jail);
}

}  // namespace

Status enter_jail(const Jail& jail) {
  if (jail.drop) {
    if (Status dropped = drop_ids(jail); !dropped.ok()) return dropped;
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("PR_SET_NO_NEW_PRIVS");
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
    return Status::error("jail: no_new_privs did not hold");
  }
  return {};
}

}  // namespace m2
