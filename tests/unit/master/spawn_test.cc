// Goal: a child keeps what it is given and nothing else; the starter of a daemon hears the truth.
#include "master/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "master/signals.h"

namespace m2 {
namespace {

int status_of(pid_t pid) {
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Spawn, ChildKeepsOnlyItsDescriptors) {
  const OwnedFd kept(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const OwnedFd other(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const OwnedFd far(::fcntl(other.get(), F_DUPFD_CLOEXEC, 900));
  const Result<pid_t> pid = spawn({.name = "m2-test", .keep = {far.get(), kept.get(), -1}}, [&] {
    if (::fcntl(kept.get(), F_GETFD) < 0 || ::fcntl(far.get(), F_GETFD) < 0) return 1;
    for (int fd = 3; fd < 1024; ++fd) {
      if (fd != kept.get() && fd != far.get() && ::fcntl(fd, F_GETFD) >= 0) return 2;
    }
    for (const int fd : {0, 1, 2}) {
      if (::fcntl(fd, F_GETFD) < 0) return 3;
    }
    return 0;
  });
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(status_of(pid.value()), 0);
}

TEST(Spawn, ChildHasItsNameAndOutput) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const OwnedFd read_end(ends[0]);
  OwnedFd write_end(ends[1]);
  const Result<pid_t> pid = spawn({.name = "m2-test", .keep = {}, .output = write_end.get()}, [] {
    char name[16] = {};
    ::prctl(PR_GET_NAME, name, 0, 0, 0);
    std::fputs(name, stdout);
    std::fputs("!", stderr);
    return 7;
  });
  write_end.reset();
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(status_of(pid.value()), 7);
  char text[32] = {};
  EXPECT_EQ(::read(read_end.get(), text, sizeof text - 1), 8);
  EXPECT_STREQ(text, "!m2-test");
}

// What a terminal or a service manager sends to the whole group reaches children too.
TEST(Spawn, ChildLeavesSignalsOfTheGroupToTheMaster) {
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, nullptr, &before);
  const Result<OwnedFd> held = hold_signals();
  ASSERT_TRUE(held.ok());
  const Result<pid_t> pid = spawn({.name = "m2-test", .keep = {}}, [] {
    sigset_t blocked;
    ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
    for (int number = 1; number < 32; ++number) {
      if (::sigismember(&blocked, number) == 1) return 1;
    }
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE}) ::raise(number);
    struct sigaction quit;
    ::sigaction(SIGQUIT, nullptr, &quit);
    return quit.sa_handler == SIG_DFL ? 0 : 2;
  });
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(status_of(pid.value()), 0);
}

// The starter is a child of the test; what it exits with is what a shell would see.
int exit_of_starter(unsigned limit_ms, void (*daemon)(Launcher&)) {
  const pid_t starter = ::fork();
  if (starter == 0) {
    ::close(STDERR_FILENO);
    Result<Launcher> launcher = Launcher::detach(limit_ms);
    if (!launcher.ok()) ::_exit(99);
    ::alarm(30);
    daemon(launcher.value());
    ::_exit(0);
  }
  return status_of(starter);
}

TEST(Launcher, StarterReturnsWhenTheServerServes) {
  EXPECT_EQ(exit_of_starter(30'000,
                            [](Launcher& launcher) {
                              if (!launcher.waiting() || ::getsid(0) != ::getpid()) ::_exit(1);
                              launcher.ready();
                              if (launcher.waiting()) ::_exit(1);
                            }),
            0);
}

TEST(Launcher, StarterFailsWhenTheServerEnds) {
  EXPECT_EQ(exit_of_starter(30'000, [](Launcher&) { ::_exit(0); }), 1);
  EXPECT_EQ(exit_of_starter(30'000, [](Launcher&) { ::raise(SIGKILL); }), 1);
}

TEST(Launcher, StarterDoesNotWaitForEver) {
  EXPECT_EQ(exit_of_starter(50, [](Launcher&) { ::pause(); }), 1);
}

TEST(Launcher, InTheForegroundNobodyWaits) {
  Launcher launcher;
  EXPECT_FALSE(launcher.waiting());
  launcher.ready();
}

}  // namespace
}  // namespace m2
