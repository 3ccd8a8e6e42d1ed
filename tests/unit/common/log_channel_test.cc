// Goal: what another process writes is there when the call returns; one that is held up costs a
// second and then nothing, and what it does not take is counted. Method: a pipe that nobody reads.
#include "common/log_channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

namespace m2 {
namespace {

class LogChannelTest : public testing::Test {
 protected:
  LogChannelTest() {
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }
  void serve(int fd) {
    writer_ = std::thread([this, own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3)] {
      serve_log_channel(theirs_.get(), OwnedFd(own));
      theirs_.reset();
    });
  }
  static std::string contents(const OwnedFd& file) {
    std::string text(4096, 0);
    const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
  }

  OwnedFd ours_, theirs_;
  std::thread writer_;
};

TEST_F(LogChannelTest, ALineIsThereAndMovesWithTheFile) {
  const OwnedFd first(::memfd_create("first", MFD_CLOEXEC));
  const OwnedFd second(::memfd_create("second", MFD_CLOEXEC));
  serve(first.get());
  {
    LogChannel channel(std::move(ours_));
    EXPECT_EQ(channel.write("one\n").reason, 0);
    EXPECT_EQ(contents(first), "one\n");
    channel.redirect(second.get());
    EXPECT_EQ(channel.write("two\n").reason, 0);
    EXPECT_EQ(contents(second), "two\n");
    EXPECT_EQ(contents(first), "one\n");
  }
  writer_.join();
}

TEST_F(LogChannelTest, LinesThatTheFileDoesNotTakeAreCounted) {
  const OwnedFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const OwnedFd file(::memfd_create("file", MFD_CLOEXEC));
  serve(full.get());
  {
    LogChannel channel(std::move(ours_));
    const LogLoss loss = channel.write("one\n");
    EXPECT_EQ(loss.reason, ENOSPC);
    EXPECT_EQ(loss.lines, 1u);
    channel.redirect(file.get());
    const LogLoss none = channel.write("two\n");
    EXPECT_EQ(none.reason, 0);
    EXPECT_EQ(none.lines, 0u);
  }
  writer_.join();
}

TEST_F(LogChannelTest, AReaderThatHasStoppedHoldsUpNobodyForLong) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  OwnedFd out(ends[0]), in(ends[1]);
  serve(in.get());
  in.reset();
  {
    LogChannel channel(std::move(ours_));
    const std::string line = std::string(999, 'x') + '\n';
    LogLoss loss;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 5000; ++i) {
      const LogLoss now = channel.write(line);
      loss.lines += now.lines;
      if (now.reason != 0) loss.reason = now.reason;
    }
    EXPECT_EQ(loss.reason, EAGAIN);
    EXPECT_GT(loss.lines, 1000u);
    // One second of patience in ten; the machine may be slow, but 5,000 lines had no second each.
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
    out.reset();  // whoever writes there is told so
  }
  writer_.join();
}

TEST_F(LogChannelTest, AWriterThatIsGoneIsSaid) {
  theirs_.reset();
  LogChannel channel(std::move(ours_));
  const LogLoss loss = channel.write("one\n");
  EXPECT_EQ(loss.reason, EPIPE);
  EXPECT_EQ(loss.lines, 1u);
}

}  // namespace
}  // namespace m2
