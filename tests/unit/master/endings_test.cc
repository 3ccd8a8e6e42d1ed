// Goal: every child's end is heard by who expects it, and by nobody twice; processes of nobody do
// not stay as zombies. Method: children, and one whose parent has ended before it.
#include "master/endings.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace m2 {
namespace {

template <typename Condition>
bool becomes_true(Condition condition) {
  for (int i = 0; i < 30'000; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 1);
  }
  return false;
}

pid_t start(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  return pid;
}

TEST(Endings, EachStatusIsTakenOnceByWhoeverExpectsIt) {
  const pid_t first = start([] { return 7; }), second = start([] { return 8; });
  expect_end(first);
  expect_end(second);
  std::optional<int> status;
  ASSERT_TRUE(becomes_true([&] { return (status = take_end(second)).has_value(); }));
  EXPECT_EQ(WEXITSTATUS(*status), 8);
  ASSERT_TRUE(becomes_true([&] { return (status = take_end(first)).has_value(); }));
  EXPECT_EQ(WEXITSTATUS(*status), 7);
  EXPECT_FALSE(take_end(first) || take_end(second));
}

TEST(Endings, OrphansAreLetGoAndOurOwnIsNot) {
  const pid_t pid = ::fork();
  if (pid == 0) {  // a world of its own: it collects everybody's end
    ::alarm(60);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const pid_t own = start([] {
      ::pause();
      return 0;
    });
    expect_end(own);
    const pid_t parent = start([] {
      start([] { return 3; });  // an orphan soon
      return 4;
    });
    // Both are gone, also as zombies, and ours is the only child that is left.
    if (!becomes_true([&] {
          collect_ends();
          siginfo_t info{};
          return ::kill(parent, 0) != 0 &&
                 ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
        })) {
      ::_exit(1);
    }
    if (take_end(own)) ::_exit(2);
    kill_child(own);
    std::optional<int> status;
    if (!becomes_true([&] { return (status = take_end(own)).has_value(); })) ::_exit(3);
    kill_child(own);  // its number is nobody's, and nobody is killed
    ::_exit(WIFSIGNALED(*status) ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace m2
