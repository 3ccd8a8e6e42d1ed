// Goal: a full disk takes whole lines or none, and each that is lost is counted; a stream that is
// slow gets whole lines. Method: a limit on the size of files, pipes.
#include "common/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

namespace m2 {
namespace {

std::string lines(size_t count, size_t size) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += std::string(size - 1, 'x') + '\n';
  return text;
}

std::string contents(int fd) {
  std::string text(1 << 20, 0);
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return text;
}

// The number of the check that failed; 0: none.
int fill_to_the_limit() {
  ::signal(SIGXFSZ, SIG_IGN);
  char name[] = "/tmp/m2-log-file-XXXXXX";
  const OwnedFd file(::mkostemp(name, O_APPEND | O_CLOEXEC));
  ::unlink(name);
  const rlimit limit{1000, 1000};
  if (!file.valid() || ::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
  LogFile log(file.get());
  if (log.write(lines(3, 300)).reason != 0) return 2;
  // Room for 100 bytes: the first 90 are two lines, the third broke off and is taken back.
  const LogLoss loss = log.write(lines(4, 45));
  if (loss.reason == 0 || loss.lines != 2) return 3;
  if (contents(file.get()) != lines(3, 300) + lines(2, 45)) return 4;
  if (log.write(lines(1, 45)).lines != 1) return 5;
  if (contents(file.get()).size() != 990) return 6;
  // There is room again: the next line stands by itself.
  if (::ftruncate(file.get(), 300) != 0 || log.write("next\n").reason != 0) return 7;
  return contents(file.get()) == lines(1, 300) + "next\n" ? 0 : 8;
}

TEST(LogFile, AFullDiskTakesWholeLinesOrNone) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(fill_to_the_limit());
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << "check " << WEXITSTATUS(status);
}

TEST(LogFile, ADeviceWithoutRoomLosesAllLinesAndCountsThem) {
  const OwnedFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const LogLoss loss = LogFile(full.get()).write(lines(5, 10));
  EXPECT_EQ(loss.reason, ENOSPC);
  EXPECT_EQ(loss.lines, 5u);
}

// Somebody who keeps the file locked costs a moment, no line.
TEST(LogFile, ALockOfSomebodyElseStopsNothing) {
  const OwnedFd file(::memfd_create("log", MFD_CLOEXEC));
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    ::fcntl(file.get(), F_SETLK, &lock);
    (void)!::write(ready[1], "1", 1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(LogFile(file.get()).write("line\n").reason, 0);
  EXPECT_EQ(contents(file.get()), "line\n");
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

// Two writers on one pipe that is made non-blocking and read slowly: no line is torn.
TEST(LogFile, LinesOfSeveralWritersStayWholeInAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const OwnedFd out(ends[0]);
  OwnedFd in(ends[1]);
  ASSERT_GT(::fcntl(in.get(), F_SETPIPE_SZ, 4096), 0);
  const auto fill = [&in](char mark) {
    std::string text;
    for (int i = 0; i < 500; ++i) text += std::string(99, mark) + '\n';
    EXPECT_EQ(LogFile(in.get()).write(text).reason, 0);
  };
  std::thread first(fill, 'a'), second(fill, 'b');
  std::string text;
  char piece[700];
  while (text.size() < 100'000) {
    const ssize_t size = ::read(out.get(), piece, sizeof piece);
    if (size > 0) text.append(piece, static_cast<size_t>(size));
  }
  first.join();
  second.join();
  for (size_t at = 0; at < text.size(); at += 100) {
    const std::string line = text.substr(at, 100);
    ASSERT_EQ(std::count(line.begin(), line.begin() + 99, line[0]), 99) << line;
    ASSERT_EQ(line[99], '\n');
  }
}

}  // namespace
}  // namespace m2
