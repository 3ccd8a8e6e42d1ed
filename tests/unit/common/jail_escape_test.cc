// Goal: from inside each role every way out is shut. Method: a child process enters the very jail
// of the role, in a folder of the test, and tries; what is merely refused says so by errno, what
// only an intruder would call ends the process with SIGSYS. As root with a chroot and a drop, as an
// ordinary user without: what differs is named.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <thread>

#include "common/jail.h"
#include "common/jail_roles.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

constexpr uid_t kNobody = 65534;
constexpr JailRole kRoles[] = {JailRole::kWorker, JailRole::kRelay, JailRole::kConfigReader,
                               JailRole::kResolver};

bool meets_strangers(JailRole role) {
  return role == JailRole::kWorker || role == JailRole::kRelay;
}

class JailEscape : public testing::Test {
 protected:
  JailEscape() {
    folder_.write("inside", "x");
    ::chmod(folder_.path().c_str(), 0755);
    if (root_) ::chown(folder_.path().c_str(), kNobody, kNobody);
  }

  void SetUp() override {
    if (!kConfinementIsBuilt) GTEST_SKIP() << "this build leaves the filters out";
  }

  // How a child ended that went into the jail of role and did this: "0", "17", "signal 31".
  std::string end_of(JailRole role, const std::function<int()>& attempt) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(enter(role) ? attempt() : 255);
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid) return "lost";
    return WIFEXITED(status) ? std::to_string(WEXITSTATUS(status))
                             : "signal " + std::to_string(WTERMSIG(status));
  }

  // The place that the role has: the folder as root directory, but for the two that work outside.
  bool enter(JailRole role) {
    if (::chdir(folder_.path().c_str()) != 0) return false;
    Jail jail;
    if (root_) {
      if (meets_strangers(role) && ::chroot(".") != 0) return false;
      jail.drop = true;
      jail.uid = jail.gid = kNobody;
    }
    return enter_jail(jail, role).ok();
  }

  // 0 when the call failed as it should, else what it gave.
  static int refused(long result) { return result < 0 && errno != EFAULT ? 0 : 1; }

  const bool root_ = ::geteuid() == 0;
  ScratchFolder folder_;
};

TEST_F(JailEscape, WhatOnlyAnIntruderCallsEndsTheProcess) {
  const std::map<std::string, std::function<long()>> attempts = {
      {"execve", [] { return ::execl("/bin/true", "true", nullptr); }},
      {"execveat", [] { return ::syscall(SYS_execveat, 0, "", nullptr, nullptr, 0); }},
      {"fork", [] { return static_cast<long>(::fork()); }},
      {"vfork by clone",
       [] { return ::syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0); }},
      {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
      {"process_vm_readv",
       [] { return ::syscall(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0); }},
      {"setuid", [] { return static_cast<long>(::syscall(SYS_setuid, 0)); }},
      {"setresuid", [] { return static_cast<long>(::syscall(SYS_setresuid, 0, 0, 0)); }},
      {"setgroups", [] { return static_cast<long>(::syscall(SYS_setgroups, 0, nullptr)); }},
      {"capset", [] { return ::syscall(SYS_capset, nullptr, nullptr); }},
      {"chroot", [] { return static_cast<long>(::chroot("/")); }},
      {"unshare", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
      {"setns", [] { return static_cast<long>(::setns(0, 0)); }},
      {"mount", [] { return static_cast<long>(::mount("x", "/", "tmpfs", 0, nullptr)); }},
      {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0); }},
      {"keyctl", [] { return ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, 0, 0); }},
      {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
      {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, 0, nullptr, 0); }},
  };
  for (const JailRole role : kRoles) {
    for (const auto& [name, attempt] : attempts) {
      EXPECT_EQ(end_of(role, [&call = attempt] { return static_cast<int>(call()) == 0 ? 7 : 8; }),
                "signal 31")
          << name << " in the " << name_of(role);
    }
  }
}

TEST_F(JailEscape, NobodyElseCanBeSignalled) {
  for (const JailRole role : kRoles) {
    EXPECT_EQ(end_of(role, [] { return refused(::kill(::getppid(), 0)); }), "0") << name_of(role);
    EXPECT_EQ(end_of(role, [] { return refused(::kill(-1, 0)); }), "0") << name_of(role);
    EXPECT_EQ(
        end_of(role, [] { return refused(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)); }),
        "0")
        << name_of(role);
  }
}

TEST_F(JailEscape, NoForeignSockets) {
  const auto opens = [this](JailRole role, int family, int type, int protocol = 0) {
    const std::string end =
        end_of(role, [=] { return ::socket(family, type, protocol) >= 0 ? 1 : 0; });
    return end == "1";
  };
  for (const JailRole role : kRoles) {
    SCOPED_TRACE(name_of(role));
    EXPECT_FALSE(opens(role, AF_INET, SOCK_RAW, IPPROTO_ICMP));
    EXPECT_FALSE(opens(role, AF_INET, SOCK_STREAM, 132));  // SCTP
    EXPECT_FALSE(opens(role, AF_PACKET, SOCK_RAW));
    EXPECT_FALSE(opens(role, AF_ALG, SOCK_SEQPACKET));
    EXPECT_FALSE(opens(role, AF_VSOCK, SOCK_STREAM));
    EXPECT_FALSE(opens(role, AF_NETLINK, SOCK_RAW, 9));  // audit
    EXPECT_TRUE(opens(role, AF_UNIX, SOCK_STREAM));
    EXPECT_EQ(opens(role, AF_NETLINK, SOCK_RAW), !meets_strangers(role));
    EXPECT_EQ(opens(role, AF_INET, SOCK_DGRAM), !meets_strangers(role));
    EXPECT_EQ(opens(role, AF_INET, SOCK_STREAM), role != JailRole::kRelay);
  }
}

TEST_F(JailEscape, NobodyBindsTcp) {
  if (landlock_version() < 4) GTEST_SKIP() << "needs Landlock of Linux 6.7";
  for (const JailRole role : {JailRole::kWorker, JailRole::kConfigReader, JailRole::kResolver}) {
    EXPECT_EQ(end_of(role,
                     [] {
                       const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
                       sockaddr_in any{};
                       any.sin_family = AF_INET;
                       any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                       return refused(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any));
                     }),
              "0")
        << name_of(role);
  }
}

TEST_F(JailEscape, MemoryIsNeverCode) {
  for (const JailRole role : {JailRole::kWorker, JailRole::kRelay}) {
    EXPECT_EQ(end_of(role,
                     [] {
                       void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                       if (page == MAP_FAILED) return 2;
                       if (::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0) return 3;
                       page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                       return page == MAP_FAILED ? 0 : 4;
                     }),
              "0")
        << name_of(role);
  }
}

// Goal: outside of its folder a worker reads and writes nothing, as root (there is nothing) and as
// an ordinary user (Landlock); a relay touches no file at all. Nor can anybody look into others.
TEST_F(JailEscape, FilesOutsideAreOutOfReach) {
  if (!root_ && landlock_version() == 0) GTEST_SKIP() << "needs root or Landlock";
  const auto opens = [this](JailRole role, const char* path, int flags) {
    return end_of(role, [=] { return ::open(path, flags | O_CLOEXEC, 0600) >= 0 ? 1 : 0; }) == "1";
  };
  for (const JailRole role : {JailRole::kWorker, JailRole::kRelay}) {
    SCOPED_TRACE(name_of(role));
    for (const char* path : {"/etc/passwd", "../../../../etc/passwd", "/proc/self/status",
                             "/proc/1/status", "/proc/self/mem", "/dev/null"}) {
      EXPECT_FALSE(opens(role, path, O_RDONLY)) << path;
    }
    EXPECT_FALSE(opens(role, "/tmp/m2-escape-test", O_WRONLY | O_CREAT | O_EXCL));
  }
  EXPECT_TRUE(opens(JailRole::kWorker, "inside", O_RDONLY));
  EXPECT_TRUE(opens(JailRole::kWorker, "fresh", O_WRONLY | O_CREAT | O_EXCL));
  if (landlock_version() != 0) {
    EXPECT_FALSE(opens(JailRole::kRelay, "inside", O_RDONLY));
    for (const JailRole role : {JailRole::kConfigReader, JailRole::kResolver}) {
      EXPECT_TRUE(opens(role, "/etc/passwd", O_RDONLY)) << name_of(role);
      EXPECT_FALSE(opens(role, "/tmp/m2-escape-test", O_WRONLY | O_CREAT | O_EXCL))
          << name_of(role);
    }
  }
}

// Goal: links, devices, pipes and folders are made by nobody, even where files may be.
TEST_F(JailEscape, OnlyPlainFilesAreMade) {
  for (const JailRole role : kRoles) {
    EXPECT_EQ(end_of(role,
                     [] {
                       if (::symlink("inside", "link") == 0 || ::link("inside", "second") == 0)
                         return 2;
                       if (::mkdir("sub", 0700) == 0 || ::mkfifo("pipe", 0600) == 0) return 3;
                       return ::rename("inside", "moved") == 0 ? 4 : 0;
                     }),
              "0")
        << name_of(role);
  }
}

// Goal: what a process of ours needs goes on: threads of the standard library, an abort that is
// seen as one, and a name for a thread.
TEST_F(JailEscape, WorkGoesOn) {
  for (const JailRole role : kRoles) {
    EXPECT_EQ(end_of(role,
                     [] {
                       int seen = 0;
                       std::thread other([&seen] {
                         ::pthread_setname_np(::pthread_self(), "other");
                         seen = 1;
                       });
                       other.join();
                       return seen == 1 ? 0 : 1;
                     }),
              "0")
        << name_of(role);
    EXPECT_EQ(end_of(role, []() -> int { ::abort(); }), "signal 6") << name_of(role);
  }
}

}  // namespace
}  // namespace m2
