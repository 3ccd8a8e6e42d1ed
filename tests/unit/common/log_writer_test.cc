// Goal: lines arrive whole and in order, nobody waits for a file that takes nothing, and what is
// lost is counted and said once. Method: pipes that nobody reads, files that are full.
#include "common/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "common/owned_fd.h"

namespace m2 {
namespace {

std::string contents(const OwnedFd& file) {
  std::string text(1 << 20, 0);
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return text;
}

// Waits for an event that another thread brings about.
template <typename Condition>
bool becomes_true(Condition condition) {
  for (int i = 0; i < 30'000; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 1);
  }
  return false;
}

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  OwnedFd out, in;
};

TEST(LogWriter, WritesAtOnceWithoutAThread) {
  const OwnedFd file(::memfd_create("log", MFD_CLOEXEC));
  LogWriter writer(file.get());
  writer.write("one\n", 1);
  writer.write("two\n", 1);
  EXPECT_EQ(contents(file), "one\ntwo\n");
  EXPECT_EQ(writer.news(), "");
}

TEST(LogWriter, ItsEndWritesWhatWaits) {
  const OwnedFd file(::memfd_create("log", MFD_CLOEXEC));
  std::string all;
  {
    LogWriter writer(file.get());
    ASSERT_TRUE(writer.start().ok());
    for (int i = 0; i < 1000; ++i) {
      const std::string line = std::to_string(i) + "\n";
      writer.write(line, 1);
      all += line;
    }
  }
  EXPECT_EQ(contents(file), all);
}

TEST(LogWriter, LinesBeforeARedirectGoToTheOldFile) {
  const OwnedFd before(::memfd_create("log", MFD_CLOEXEC));
  const OwnedFd after(::memfd_create("log", MFD_CLOEXEC));
  {
    LogWriter writer(before.get());
    ASSERT_TRUE(writer.start().ok());
    writer.write("old\n", 1);
    writer.redirect(after.get());
    writer.write("new\n", 1);
  }
  EXPECT_EQ(contents(before), "old\n");
  EXPECT_EQ(contents(after), "new\n");
}

TEST(LogWriter, NobodyWaitsForAReaderThatHasStopped) {
  Pipe pipe;
  LogWriter writer(pipe.in.get());
  ASSERT_TRUE(writer.start().ok());
  const std::string line = std::string(1023, 'x') + "\n";
  const size_t lines = 4 * LogWriter::kWaitingBytesMax / line.size();
  for (size_t i = 0; i < lines; ++i) writer.write(line, 1);  // this returns
  EXPECT_EQ(writer.news(), "lines are being lost: the file takes none for now");
  EXPECT_EQ(writer.news(), "") << "once is enough";
  // The reader wakes up: what waited arrives, and the count of what did not adds up.
  size_t arrived = 0;
  std::string news, piece(65536, 0);
  EXPECT_TRUE(becomes_true([&] {
    pollfd readable{pipe.out.get(), POLLIN, 0};
    while (::poll(&readable, 1, 0) == 1) {
      const ssize_t size = ::read(pipe.out.get(), piece.data(), piece.size());
      arrived += static_cast<size_t>(size);
    }
    if (news.empty()) news = writer.news();
    const size_t left = lines - arrived / line.size();
    return news == "writes work again; lines lost: " + std::to_string(left);
  })) << news;
}

TEST(LogWriter, AnEndThatCannotWriteIsAnEndAllTheSame) {
  Pipe pipe;
  LogWriter writer(pipe.in.get());
  ASSERT_TRUE(writer.start().ok());
  writer.write(std::string(1 << 19, 'x'), 1);  // more than a pipe holds
}

TEST(LogWriter, AFullDiskIsSaid) {
  const OwnedFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  LogWriter writer(full.get());
  writer.write("lost\n", 1);
  writer.write("lost\nlost\n", 2);
  EXPECT_EQ(writer.news(), "lines are being lost: write: No space left on device");
  writer.write("lost\n", 1);
  EXPECT_EQ(writer.news(), "");
  const OwnedFd file(::memfd_create("log", MFD_CLOEXEC));
  writer.redirect(file.get());
  writer.write("here\n", 1);
  EXPECT_EQ(writer.news(), "writes work again; lines lost: 4");
  EXPECT_EQ(contents(file), "here\n");
}

TEST(LogWriter, ALineThatBrokeOffIsEnded) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.in.get(), F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(::fcntl(pipe.in.get(), F_SETPIPE_SZ, 4096), 4096);
  LogWriter writer(pipe.in.get());
  writer.write(std::string(9999, 'x') + "\n", 1);
  std::string text(65536, 0);
  ASSERT_EQ(::read(pipe.out.get(), text.data(), text.size()), 4096);
  writer.write("next\n", 1);
  const ssize_t size = ::read(pipe.out.get(), text.data(), text.size());
  EXPECT_EQ(text.substr(0, static_cast<size_t>(size)), "\nnext\n");
}

}  // namespace
}  // namespace m2
