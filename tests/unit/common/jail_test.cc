// Goal: a dropped process has nothing left and no way back; a drop that cannot be done is an error;
// the report says what there is and what is weaker than asked. Method: each case in a child process
// of the test; what needs root is skipped without it.
#include "common/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "common/jail_roles.h"
#include "common/landlock.h"

namespace m2 {
namespace {

Jail dropping_to(uid_t uid, gid_t gid) {
  Jail jail;
  jail.drop = true;
  jail.uid = uid;
  jail.gid = gid;
  return jail;
}

// Without the filter, which would end a process that tries.
Jail nobody() {
  Jail jail = dropping_to(65534, 65534);
  jail.seccomp = false;
  return jail;
}

// The exit status of a child that runs body; -1 when it did not end by itself.
int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(Jail, WithoutDropKeepsTheUserAndForbidsNewPrivileges) {
  const unsigned landlock = landlock_version();
  EXPECT_EQ(in_child([landlock] {
              const uid_t before = ::getuid();
              const Result<JailReport> entered = enter_jail(Jail{}, JailRole::kWorker);
              if (!entered.ok()) return 1;
              if (::getuid() != before) return 2;
              const JailReport& has = entered.value();
              if (has.no_new_privs != 1 || has.uids[1] != before) return 3;
              if (has.seccomp != kConfinementIsBuilt || has.landlock != landlock) return 4;
              return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
            }),
            0);
}

TEST(Jail, DropLeavesNothingNeedsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_child([] {
              const gid_t groups[] = {0, 4, 27};
              if (::setgroups(3, groups) != 0) return 1;
              if (!enter_jail(nobody(), JailRole::kWorker).ok()) return 2;
              if (::getuid() != 65534 || ::geteuid() != 65534 || ::getgid() != 65534) return 3;
              if (::getgroups(0, nullptr) != 0) return 4;
              if (::setuid(0) == 0 || ::setgid(0) == 0 || ::setgroups(3, groups) == 0) return 5;
              if (::chroot("/") == 0) return 6;
              if (::open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0) return 7;
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 8;
              if (::prctl(PR_CAPBSET_READ, CAP_SYS_CHROOT, 0, 0, 0) != 0) return 9;
              rlimit core{};
              return ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 ? 0 : 10;
            }),
            0);
}

TEST(Jail, RefusesToDropToRoot) {
  EXPECT_EQ(in_child([] { return enter_jail(dropping_to(0, 0), JailRole::kWorker).ok() ? 1 : 0; }),
            0);
}

// Goal: capabilities go even where a change of user would leave them.
TEST(Jail, CapabilitiesGoInAnyCaseNeedsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_child([] {
              if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return 1;
              const Result<JailReport> entered = enter_jail(nobody(), JailRole::kWorker);
              if (!entered.ok()) return 2;
              const JailReport& has = entered.value();
              return (has.permitted | has.effective | has.ambient | has.bounding) == 0 ? 0 : 3;
            }),
            0);
}

TEST(Jail, RootThatStaysRootKeepsOnlyWhatItsRoleNeedsNeedsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  for (const JailRole role : {JailRole::kWorker, JailRole::kRelay, JailRole::kConfigReader}) {
    EXPECT_EQ(in_child([role] {
                Jail jail;
                jail.seccomp = false;
                const Result<JailReport> entered = enter_jail(jail, role);
                if (!entered.ok()) return 1;
                const JailReport& has = entered.value();
                if (has.permitted != jail_rules(role).root_keeps || has.bounding != 0) return 2;
                return ::chroot("/") != 0 && has.dumpable == 0 ? 0 : 3;
              }),
              0)
        << name_of(role);
  }
}

TEST(Jail, AnOrdinaryUserCannotDrop) {
  EXPECT_EQ(in_child([] {
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
              const auto entered = enter_jail(dropping_to(12345, 12345), JailRole::kWorker);
              return !entered.ok() && entered.message().find("jail: ") == 0 ? 0 : 2;
            }),
            0);
}

JailReport sample() {
  JailReport report;
  report.role = 1;
  report.pid = 4294967295;
  report.uids = {33, 34, 35};
  report.gids = {1, 2, 3};
  report.root_device = ~uint64_t{0};
  report.bounding = uint64_t{1} << 40;
  report.no_new_privs = report.seccomp = 1;
  report.landlock = 6;
  return report;
}

TEST(JailReport, SurvivesTheWayAndIsRefusedWhenCutOrAltered) {
  const std::string text = write_jail_report(sample());
  const Result<JailReport> read = read_jail_report(text);
  ASSERT_TRUE(read.ok()) << text;
  EXPECT_EQ(read.value(), sample());
  for (size_t length = 0; length + 1 < text.size(); ++length) {
    EXPECT_FALSE(read_jail_report(std::string_view(text).substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(read_jail_report(text + " ").ok());
  EXPECT_FALSE(read_jail_report(' ' + text).ok());
  JailReport unknown = sample();
  unknown.role = 5;
  EXPECT_FALSE(read_jail_report(write_jail_report(unknown)).ok());
}

// Goal: each way of having more than was asked is named; having less is as good.
TEST(JailReport, EachWeaknessIsNamed) {
  const JailReport asked = sample();
  EXPECT_EQ(weaker_than_asked(asked, asked), "");
  const auto with = [&asked](const std::function<void(JailReport&)>& change) {
    JailReport has = asked;
    change(has);
    return weaker_than_asked(asked, has);
  };
  using R = JailReport&;
  EXPECT_EQ(with([](R has) { has.bounding = 0; }), "");
  EXPECT_EQ(with([](R has) { has.pid = 1; }), "");
  EXPECT_EQ(with([](R has) { has.role = 0; }), "it is in the jail of another role");
  EXPECT_EQ(with([](R has) { has.uids[2] = 0; }), "user ids are not all 33");
  EXPECT_EQ(with([](R has) { has.gids[0] = 0; }), "group ids are not all 1");
  EXPECT_EQ(with([](R has) { has.groups = 2; }), "2 supplementary groups remain");
  EXPECT_EQ(with([](R has) { ++has.root_inode; }), "its root directory is another one");
  EXPECT_EQ(with([](R has) { has.permitted = 1 << 10; }), "permitted capabilities 0x400 remain");
  EXPECT_EQ(with([](R has) { has.ambient = 1; }), "ambient capabilities 0x1 remain");
  EXPECT_EQ(with([](R has) { has.no_new_privs = 0; }), "no_new_privs is off");
  EXPECT_EQ(with([](R has) { has.landlock = 4; }), "Landlock is at 4 instead of 6");
  EXPECT_EQ(with([](R has) { has.core_bytes = 1; }), "it may leave core files");
  EXPECT_EQ(with([](R has) { has.seccomp = 0, has.dumpable = 1; }),
            "seccomp is off; others of its user may trace it");
}

// Goal: a descriptor that nobody gave is seen, whatever its kind, also one that opens nothing
// (O_PATH), and names the kind.
TEST(JailReport, SeesEveryDescriptor) {
  EXPECT_EQ(in_child([] {
              const Result<JailReport> before = look_at_jail(JailRole::kWorker, 0);
              const int extra[] = {::open("/", O_PATH | O_CLOEXEC), ::open("/dev/null", O_RDONLY),
                                   ::open("/etc/passwd", O_PATH)};
              if (::dup2(extra[0], 1000) != 1000) return 1;
              const Result<JailReport> after = look_at_jail(JailRole::kWorker, 0);
              if (!before.ok() || !after.ok()) return 2;
              const auto more = [&](DescriptorKind kind) {
                const auto at = static_cast<size_t>(kind);
                return after.value().descriptors[at] - before.value().descriptors[at];
              };
              if (more(DescriptorKind::kFolder) != 2 || more(DescriptorKind::kDevice) != 1 ||
                  more(DescriptorKind::kFile) != 1) {
                return 3;
              }
              const std::string weaker = weaker_than_asked(before.value(), after.value());
              if (weaker.find("of kind \"folder\" are open") == weaker.npos) return 4;
              return weaker_than_asked(after.value(), before.value()).empty() ? 0 : 5;
            }),
            0);
}

// Goal: a rule that cannot be made ends the way into the jail, with the reason; a folder that is
// not there needs none. Method: no descriptor is left.
TEST(Jail, ARuleThatCannotBeMadeIsAnError) {
  if (landlock_version() == 0) GTEST_SKIP() << "needs Landlock";
  EXPECT_EQ(in_child([] {
              if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
              LandlockRules rules;
              rules.folders = {{"/tmp", kMayRead}};
              int last = -1;
              for (int fd; (fd = ::dup(STDERR_FILENO)) >= 0;) last = fd;
              ::close(last);  // for the ruleset; none is left for the folder
              const Result<unsigned> entered = enter_landlock(rules);
              if (entered.ok()) return 2;
              return entered.message().find("/tmp: Too many open files") == std::string::npos ? 3
                                                                                              : 0;
            }),
            0);
  EXPECT_EQ(
      in_child([] {
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
        LandlockRules rules;
        rules.folders = {{"/nowhere", kMayRead}, {"/dev/null/below", kMayRead}, {"", kMayRead}};
        return enter_landlock(rules).ok() ? 0 : 2;
      }),
      0);
}

}  // namespace
}  // namespace m2
