// What a client is owed arrives whole and in order, whatever the socket takes at a time.
#include "worker/http/output_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "common/owned_fd.h"

namespace m2 {
namespace {

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
  std::string read_some() {
    char buffer[10'000];
    const ssize_t count = ::recv(theirs.get(), buffer, sizeof buffer, 0);
    return count > 0 ? std::string(buffer, static_cast<size_t>(count)) : std::string();
  }
  OwnedFd ours, theirs;
};

OwnedFd file_with(const std::string& text) {
  char name[] = "/tmp/m2-output-XXXXXX";
  OwnedFd file(::mkstemp(name));
  ::unlink(name);
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}

TEST(OutputQueue, KeepsOrderThroughMemoryAndFilesWhenTheSocketIsFull) {
  Pair pair;
  const std::string big(300'000, 'm');
  const std::string text(400'000, 'f');
  const OwnedFd file = file_with("skip" + text);
  OutputQueue queue;
  queue.add("head\n", nullptr);
  queue.add(big, nullptr);
  queue.add_file(file.get(), 4, text.size(), nullptr);
  queue.add("tail", nullptr);
  const std::string expected = "head\n" + big + text + "tail";
  EXPECT_EQ(queue.bytes(), expected.size());
  std::string got;
  while (true) {
    const OutputQueue::Flush flush = queue.flush(pair.ours.get());
    ASSERT_NE(flush, OutputQueue::Flush::kBroken);
    for (std::string piece = pair.read_some(); !piece.empty(); piece = pair.read_some())
      got += piece;
    EXPECT_EQ(queue.bytes() + got.size(), expected.size());
    if (flush == OutputQueue::Flush::kEmpty) break;
  }
  EXPECT_TRUE(got == expected);
  EXPECT_TRUE(queue.empty());
}

TEST(OutputQueue, AnOwnerLivesExactlyAsLongAsItsBytes) {
  Pair pair;
  auto owner = std::make_shared<std::string>("owned");
  OutputQueue queue;
  queue.add(*owner, owner);
  EXPECT_EQ(owner.use_count(), 2);
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kEmpty);
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_EQ(pair.read_some(), "owned");
}

TEST(OutputQueue, AFileThatBecameShorterBreaksTheAnswer) {
  Pair pair;
  const OwnedFd file = file_with("0123456789");
  OutputQueue queue;
  queue.add_file(file.get(), 0, 20, nullptr);
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBroken);
}

TEST(OutputQueue, AClientThatLeftBreaksTheAnswer) {
  Pair pair;
  pair.theirs.reset();
  OutputQueue queue;
  queue.add("x", nullptr);
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBroken);
}

}  // namespace
}  // namespace m2
