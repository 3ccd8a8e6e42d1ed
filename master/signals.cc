#include "master/signals.h"

#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>

namespace m2 {

Result<OwnedFd> hold_signals() {
  sigset_t held;
  ::sigemptyset(&held);
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGQUIT, SIGCHLD}) {
    ::sigaddset(&held, number);
  }
  if (::sigprocmask(SIG_BLOCK, &held, nullptr) != 0)
    return Status::from_errno("sigprocmask", errno);
  OwnedFd fd(::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return Status::from_errno("signalfd", errno);
  return fd;
}

Signals::Signals(Loop& loop, OwnedFd held, SignalUser& user) : fd_(std::move(held)), user_(user) {
  watcher_.start<&Signals::on_ready>(loop, fd_.get(), EV_READ, this);
}

void Signals::on_ready(int) {
  signalfd_siginfo info;
  while (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    user_.signal_arrived(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace m2
