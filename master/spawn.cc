#include "master/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "common/check.h"
#include "common/log.h"
#include "master/endings.h"
#include "master/reap.h"

namespace m2 {
namespace {

void restore_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ}) {
    ::sigaction(number, &ignored, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_all_but(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  int next = 3;
  for (const int fd : keep) {
    if (fd < next) continue;
    if (fd > next) CHECK(::close_range(next, fd - 1, 0) == 0);
    next = fd + 1;
  }
  CHECK(::close_range(next, ~0u, 0) == 0);
}

}  // namespace

DescriptorCounts given_to(const SpawnPlan& plan) {
  std::vector<int> numbers = plan.keep;
  const bool own = plan.output >= 0;
  numbers.insert(numbers.end(), {STDIN_FILENO, own ? plan.output : STDOUT_FILENO,
                                 own ? plan.output : STDERR_FILENO});
  const Result<DescriptorCounts> counts = count_descriptors(numbers);
  CHECK(counts.ok());  // they are ours, and open
  return counts.value();
}

Result<pid_t> spawn(const SpawnPlan& plan, const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return Status::from_errno("fork " + plan.name, errno);
  if (pid > 0) {
    expect_end(pid);
    return pid;
  }
  log_close();  // its descriptor is the master's
  restore_signals();
  ::prctl(PR_SET_NAME, plan.name.c_str(), 0, 0, 0);
  if (plan.output >= 0) {
    CHECK(::dup2(plan.output, STDOUT_FILENO) >= 0);
    CHECK(::dup2(plan.output, STDERR_FILENO) >= 0);
  }
  close_all_but(plan.keep);
  const int status = body();
  std::fflush(nullptr);
  // Not exit(): what the master registered for its own end is none of the child's business.
  ::_exit(status);
}

namespace {

[[noreturn]] void wait_for_verdict(pid_t server, const OwnedFd& pipe, unsigned limit_ms) {
  pollfd readable{pipe.get(), POLLIN, 0};
  int events;
  do {
    events = ::poll(&readable, 1, static_cast<int>(limit_ms));
  } while (events < 0 && errno == EINTR);
  if (events == 0) {
    std::fprintf(stderr, "mongrel2: does not serve after %u ms, stopped\n", limit_ms);
    ::kill(server, SIGTERM);
    ::_exit(1);
  }
  char verdict;
  if (::read(pipe.get(), &verdict, 1) == 1) ::_exit(0);
  // It has said why on the stderr that both share, unless a signal ended it.
  int status = 0;
  if (::waitpid(server, &status, 0) == server && WIFSIGNALED(status)) {
    std::fprintf(stderr, "mongrel2: %s\n", exit_reason(status).c_str());
  }
  ::_exit(1);
}

}  // namespace

Result<Launcher> Launcher::detach(unsigned limit_ms) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Status::from_errno("pipe", errno);
  OwnedFd read_end(ends[0]);
  Launcher launcher;
  launcher.pipe_.reset(ends[1]);
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return Status::from_errno("fork into the background", errno);
  if (pid > 0) {
    launcher.pipe_.reset();
    wait_for_verdict(pid, read_end, limit_ms);
  }
  if (::setsid() < 0) return Status::from_errno("setsid", errno);
  return launcher;
}

void Launcher::ready() {
  if (!pipe_.valid()) return;
  const ssize_t told = ::write(pipe_.get(), "1", 1);
  (void)told;  // a starter that has gone needs no answer
  pipe_.reset();
}

}  // namespace m2
