// Goal: one server a pid file; what dead ones left never stands in the way; nothing else is
// touched.
#include "master/pid_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

class PidFileTest : public testing::Test {
 protected:
  Result<PidFile> take(const char* name = "x.pid") {
    return PidFile::take(folder_ / name, std::string("site/") + name, {}, root_.get());
  }
  // A process that does body and then waits to be killed; its pid once body has been done.
  pid_t start(const std::function<void()>& body) {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      body();
      (void)!::write(ready[1], "1", 1);
      for (;;) ::pause();
    }
    char byte;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    return pid;
  }
  void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  ScratchFolder folder_;
  OwnedFd root_{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(PidFileTest, HoldsThePidWithoutNewlineAndIsRemoved) {
  Result<PidFile> file = take();
  ASSERT_TRUE(file.ok()) << file.message();
  EXPECT_EQ(folder_.read("x.pid"), std::to_string(::getpid()));
  EXPECT_EQ(file.value().stale_pid(), 0);
  file.value().remove();
  EXPECT_FALSE(folder_.exists("x.pid"));
}

TEST_F(PidFileTest, ALiveServerIsNamed) {
  const pid_t other = start([&] {
    Result<PidFile> held = take();
    if (!held.ok()) ::_exit(1);
    new PidFile(std::move(held).value());  // held until the process is killed
  });
  const Result<PidFile> file = take();
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.message().find("Process " + std::to_string(other) +
                                " is still running, shut it down first."),
            0u)
      << file.message();
  EXPECT_EQ(folder_.read("x.pid"), std::to_string(other));
  end(other);
  Result<PidFile> next = take();
  ASSERT_TRUE(next.ok()) << next.message();
  EXPECT_EQ(next.value().stale_pid(), other);
  EXPECT_EQ(folder_.read("x.pid"), std::to_string(::getpid()));
}

TEST_F(PidFileTest, ChildrenDoNotHoldTheLock) {
  const pid_t master = start([&] {
    Result<PidFile> held = take();
    if (!held.ok()) ::_exit(1);
    new PidFile(std::move(held).value());
    if (::fork() == 0) {
      ::alarm(20);
      for (;;) ::pause();
    }
  });
  end(master);
  EXPECT_TRUE(take().ok());  // although a child of it still lives
}

TEST_F(PidFileTest, AServerWithoutLockIsRespectedByName) {
  const pid_t other = start([] { ::prctl(PR_SET_NAME, "mongrel2", 0, 0, 0); });
  folder_.write("x.pid", std::to_string(other));
  EXPECT_FALSE(take().ok());
  EXPECT_EQ(folder_.read("x.pid"), std::to_string(other));
  ::kill(other, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(other), &info, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(take().ok());  // a zombie does not run
  ::waitpid(other, nullptr, 0);
}

TEST_F(PidFileTest, AnotherProgramWithThatPidIsNoServer) {
  const pid_t other = start([] { ::prctl(PR_SET_NAME, "firefox", 0, 0, 0); });
  folder_.write("x.pid", std::to_string(other));
  EXPECT_TRUE(take().ok());
  end(other);
}

TEST_F(PidFileTest, GarbageIsReplaced) {
  for (const std::string& text :
       {std::string(), std::string("abc"), std::string("12abc"), std::string("-5"),
        std::string("99999999999999999999"), std::string(100000, '7')}) {
    folder_.write("x.pid", text);
    Result<PidFile> file = take();
    ASSERT_TRUE(file.ok()) << file.message();
    EXPECT_EQ(file.value().stale_pid(), 0);
    EXPECT_EQ(folder_.read("x.pid"), std::to_string(::getpid()));
    file.value().remove();
  }
}

// After an upgrade that was refused, the old one takes its file again.
TEST_F(PidFileTest, WhoReadsWhileItIsTakenAgainFindsANumber) {
  const std::string pid = std::to_string(::getpid());
  folder_.write("x.pid", pid);
  std::atomic<bool> done = false;
  int looks = 0, odd = 0;
  std::thread reader([&] {
    for (; !done; ++looks) odd += folder_.read("x.pid") != pid;
  });
  for (int i = 0; i < 3000; ++i) {
    Result<PidFile> taken = take();
    ASSERT_TRUE(taken.ok());
    taken.value().let_go();
  }
  done = true;
  reader.join();
  EXPECT_GT(looks, 0);
  EXPECT_EQ(odd, 0);
}

TEST_F(PidFileTest, OurOwnPidInTheFileIsAnAccidentOfNumbers) {
  folder_.write("x.pid", std::to_string(::getpid()));  // as after a restart in a container
  EXPECT_TRUE(take().ok());
}

TEST_F(PidFileTest, RefusesWhatIsNotAFileOfItsOwn) {
  folder_.write("precious", "precious");
  ASSERT_EQ(::symlink("precious", (folder_ / "link").c_str()), 0);
  ASSERT_EQ(::link((folder_ / "precious").c_str(), (folder_ / "hard").c_str()), 0);
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir((folder_ / "folder").c_str(), 0700), 0);
  for (const char* name : {"link", "hard", "fifo", "folder"}) EXPECT_FALSE(take(name).ok()) << name;
  EXPECT_EQ(folder_.read("precious"), "precious");
}

TEST_F(PidFileTest, MissingFolderSaysHowToMakeIt) {
  const Result<PidFile> file = take("run/x.pid");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.message().find("mkdir -p site/run"), std::string::npos) << file.message();
}

TEST_F(PidFileTest, RemovesOnlyItsOwn) {
  Result<PidFile> file = take();
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(::unlink((folder_ / "x.pid").c_str()), 0);
  folder_.write("x.pid", "4711");
  file.value().remove();
  EXPECT_EQ(folder_.read("x.pid"), "4711");
}

TEST_F(PidFileTest, WhoeverHoldsItAtHisEndRemovesItAndWhoLetGoDoesNot) {
  { ASSERT_TRUE(take().ok()); }
  EXPECT_FALSE(folder_.exists("x.pid"));
  {
    Result<PidFile> file = take();
    ASSERT_TRUE(file.ok());
    file.value().let_go();
  }
  EXPECT_TRUE(folder_.exists("x.pid"));
}

// A full disk: the file was made, and its number cannot be written.
TEST_F(PidFileTest, AFailureLeavesNoFileBehind) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, 0};
    ::_exit(::setrlimit(RLIMIT_FSIZE, &none) == 0 && !take().ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(folder_.exists("x.pid"));
}

TEST_F(PidFileTest, RootFollowsNoLinkOnTheWayNeedsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::mkdir((folder_ / "secret").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("secret", (folder_ / "run").c_str()), 0);
  const Result<PidFile> refused = take("run/x.pid");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find("its folder is a symbolic link, which root"), std::string::npos)
      << refused.message();
  EXPECT_FALSE(folder_.exists("secret/x.pid"));
}

}  // namespace
}  // namespace m2
