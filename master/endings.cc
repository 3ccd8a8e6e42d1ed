#include "master/endings.h"

#include <signal.h>
#include <sys/wait.h>

#include <map>

namespace m2 {
namespace {

std::map<pid_t, std::optional<int>> expected;

}  // namespace

void expect_end(pid_t pid) { expected[pid].reset(); }

void collect_ends() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (const auto found = expected.find(pid); found != expected.end()) found->second = status;
  }
}

std::optional<int> take_end(pid_t pid) {
  collect_ends();
  const auto found = expected.find(pid);
  if (found == expected.end() || !found->second) return std::nullopt;
  const std::optional<int> status = found->second;
  expected.erase(found);
  return status;
}

void kill_child(pid_t pid) {
  const auto found = expected.find(pid);
  if (found != expected.end() && !found->second) ::kill(pid, SIGKILL);
}

void forget_end(pid_t pid) { expected.erase(pid); }

}  // namespace m2
