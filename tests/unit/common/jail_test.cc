// Goal: a dropped process has nothing left and no way back; a drop that cannot be done is an error.
// Method: each case in a child process of the test; what needs root is skipped without it.
#include "common/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace m2 {
namespace {

constexpr Jail kNobody{true, 65534, 65534};

// The exit status of a child that runs body; -1 when it did not end by itself.
int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(Jail, WithoutDropOnlyForbidsNewPrivileges) {
  EXPECT_EQ(in_child([] {
              const uid_t before = ::getuid();
              if (!enter_jail(Jail{}).ok()) return 1;
              if (::getuid() != before) return 2;
              return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
            }),
            0);
}

TEST(Jail, DropLeavesNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_child([] {
              const gid_t groups[] = {0, 4, 27};
              if (::setgroups(3, groups) != 0) return 1;
              if (!enter_jail(kNobody).ok()) return 2;
              if (::getuid() != 65534 || ::geteuid() != 65534 || ::getgid() != 65534) return 3;
              if (::getgroups(0, nullptr) != 0) return 4;
              if (::setuid(0) == 0 || ::setgid(0) == 0 || ::setgroups(3, groups) == 0) return 5;
              if (::chroot("/") == 0) return 6;
              if (::open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0) return 7;
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 8;
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 9;
              return 0;
            }),
            0);
}

TEST(Jail, RefusesToDropToRoot) {
  EXPECT_EQ(in_child([] { return enter_jail(Jail{true, 0, 0}).ok() ? 1 : 0; }), 0);
}

TEST(Jail, CapabilitiesThatStayAreAnError) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(
      in_child([] {
        if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return 1;
        const Status entered = enter_jail(kNobody);
        return !entered.ok() && entered.message().find("capabilities") != std::string::npos ? 0 : 2;
      }),
      0);
}

TEST(Jail, AnOrdinaryUserCannotDrop) {
  EXPECT_EQ(in_child([] {
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
              const Status entered = enter_jail(Jail{true, 12345, 12345});
              return !entered.ok() && entered.message().find("jail: ") == 0 ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace m2
