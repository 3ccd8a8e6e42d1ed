#include "master/successor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/treaty/upgrade.h"
#include "master/inherited_sockets.h"

namespace m2 {
namespace {

int refuse(int channel, const std::string& why) {
  const Message message = upgrade_message(UpgradeWord::kRefused, why);
  return send_and_wait(channel, message).ok() ? 1 : 2;
}

// A new program begins with no signal blocked and none ignored.
void standard_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the new program.
int channel_number(const SuccessorGear& gear) {
  return InheritedSockets::kFirst + static_cast<int>(gear.sockets.size());
}

// 3, 4, ...: the sockets of systemd, in their order, and behind them the channel.
bool line_up(const SuccessorGear& gear) {
  std::vector<int> all = gear.sockets;
  all.push_back(gear.channel);
  const int first = InheritedSockets::kFirst;
  const int behind = first + static_cast<int>(all.size());
  for (int& fd : all) {
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, behind);
    if (fd < 0) return false;
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (::dup2(all[i], first + static_cast<int>(i)) < 0) return false;
  }
  return true;
}

void set_environment(const SuccessorGear& gear) {
  for (const std::string& variable : gear.environment) {
    const size_t name = variable.find('=');
    ::setenv(variable.substr(0, name).c_str(), variable.c_str() + name + 1, 1);
  }
  if (!gear.sockets.empty()) {
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(gear.sockets.size()).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", gear.socket_names.c_str(), 1);
  }
  ::setenv(kUpgradeVariable, std::to_string(channel_number(gear)).c_str(), 1);
}

[[noreturn]] void become(const Program& program, const SuccessorGear& gear) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  standard_signals();
  if (!line_up(gear)) ::_exit(refuse(gear.channel, "no descriptors left for the new program"));
  set_environment(gear);
  const Status failed = program.execute();
  ::_exit(refuse(channel_number(gear), failed.message()));
}

// In the same way: with its status, or by its signal.
int end_like(int status) {
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  standard_signals();
  ::raise(WTERMSIG(status));
  return 1;
}

}  // namespace

int launch_successor(const ReaderTask& task, const Origin& origin, const Program& program,
                     const SuccessorGear& gear) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  Status ready = go_back(task, origin);
  if (ready.ok()) ready = program.check(task.as_root);
  if (!ready.ok()) return refuse(gear.channel, ready.message());
  const pid_t pid = ::fork();
  if (pid < 0) return refuse(gear.channel, "cannot fork");
  if (pid == 0) become(program, gear);
  ::close_range(3, ~0u, 0);  // the end of the channel is to be that of the new program
  int status = 0;
  while (::waitpid(pid, &status, 0) != pid) {
  }
  return end_like(status);
}

}  // namespace m2
