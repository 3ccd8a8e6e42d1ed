// What a client is owed arrives whole and in order, whatever the socket takes at a time.
#include "worker/http/output_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

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

// A file that is what it was until told otherwise.
class TestFile final : public SentFile {
 public:
  explicit TestFile(OwnedFd file) : file_(std::move(file)) {}
  int fd() const override { return file_.get(); }
  State state() const override { return now; }
  State now = State::kSame;

 private:
  OwnedFd file_;
};

std::shared_ptr<TestFile> file_with(const std::string& text) {
  char name[] = "/tmp/m2-output-XXXXXX";
  OwnedFd file(::mkstemp(name));
  ::unlink(name);
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return std::make_shared<TestFile>(std::move(file));
}

TEST(OutputQueue, KeepsOrderThroughMemoryAndFilesWhenTheSocketIsFull) {
  Pair pair;
  const std::string big(300'000, 'm');
  const std::string text(400'000, 'f');
  const auto file = file_with("skip" + text);
  OutputQueue queue;
  queue.add("head\n", nullptr);
  queue.add(big, nullptr);
  queue.add_file(file, 4, text.size());
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
  OutputQueue queue;
  queue.add_file(file_with("0123456789"), 0, 20);
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBroken);
}

// Goal: a file that changes between two pieces ends the answer, before another byte of it.
TEST(OutputQueue, AFileThatChangedBreaksTheAnswer) {
  Pair pair;
  const auto file = file_with(std::string(3'000'000, 'f'));
  OutputQueue queue;
  queue.add_file(file, 0, 3'000'000);
  ASSERT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBlocked);
  file->now = SentFile::State::kChanged;
  while (!pair.read_some().empty()) continue;
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBroken);
  EXPECT_EQ(pair.read_some(), "");
}

// Goal: while it is doubtful whether a file is the same, an answer does not become complete.
TEST(OutputQueue, DoubtKeepsTheLastByteBack) {
  Pair pair;
  const auto file = file_with("0123456789");
  OutputQueue queue;
  queue.add_file(file, 0, 10);
  queue.add("tail", nullptr);
  file->now = SentFile::State::kDoubtful;
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBlocked);
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBlocked);
  EXPECT_EQ(pair.read_some(), "012345678");
  file->now = SentFile::State::kSame;
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kEmpty);
  EXPECT_EQ(pair.read_some(), "9tail");
}

// Goal: no client takes a whole turn of the loop, however fast it reads. Method: a reader that
// empties the socket after each flush.
TEST(OutputQueue, SendsABoundedNumberOfBytesATurn) {
  Pair pair;
  OutputQueue queue;
  const uint64_t whole = 4u << 20;
  queue.add_file(file_with(std::string(whole, 'f')), 0, whole);
  int turns = 0;
  for (uint64_t before = whole; !queue.empty(); before = queue.bytes()) {
    ASSERT_NE(queue.flush(pair.ours.get()), OutputQueue::Flush::kBroken);
    EXPECT_LE(before - queue.bytes(), 256u * 1024);
    while (!pair.read_some().empty()) continue;
    ++turns;
  }
  EXPECT_GE(turns, 16);
}

// What a test put in and what came out, message by message.
std::string all_of(Pair& pair, OutputQueue& queue) {
  std::string received;
  while (!queue.empty()) {
    EXPECT_NE(queue.flush(pair.ours.get()), OutputQueue::Flush::kBroken);
    received += pair.read_some();
  }
  for (std::string more = pair.read_some(); !more.empty(); more = pair.read_some()) {
    received += more;
  }
  return received;
}

TEST(OutputQueue, DropsTheOldestWholeMessagesThatMayBeDropped) {
  Pair pair;
  OutputQueue queue;
  const std::string begun(500'000, 'a');
  queue.add(begun, nullptr);
  queue.let_last_drop();
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBlocked);  // it has begun
  queue.add("keep ", nullptr);
  for (int i = 0; i < 10; ++i) {
    queue.add("message" + std::to_string(i) + " ", nullptr);
    queue.let_last_drop();
  }
  const uint64_t before = queue.memory_bytes();
  const OutputQueue::Dropped dropped = queue.drop_oldest(before - 20);
  EXPECT_EQ(dropped.messages, 3u);
  EXPECT_EQ(dropped.bytes, 27u);
  EXPECT_EQ(queue.memory_bytes(), before - 27);
  EXPECT_EQ(all_of(pair, queue), begun +
                                     "keep message3 message4 message5 message6 message7 message8 "
                                     "message9 ");
  EXPECT_EQ(queue.drop_oldest(0).messages, 0u);
}

TEST(OutputQueue, DropsNothingThatMustStay) {
  Pair pair;
  OutputQueue queue;
  queue.add("head ", nullptr);
  queue.add_file(file_with("file "), 0, 5);
  queue.add("tail", nullptr);
  EXPECT_EQ(queue.files(), 1u);
  EXPECT_EQ(queue.memory_bytes(), 9u);
  EXPECT_EQ(queue.bytes(), 14u);
  EXPECT_EQ(queue.drop_oldest(0).messages, 0u);
  EXPECT_EQ(all_of(pair, queue), "head file tail");
  EXPECT_EQ(queue.files(), 0u);
  EXPECT_EQ(queue.memory_bytes(), 0u);
}

TEST(OutputQueue, AnUrgentMessageGoesBeforeWhatHasNotBegun) {
  Pair pair;
  OutputQueue queue;
  const std::string begun(500'000, 'a');
  queue.add(begun, nullptr);
  queue.let_last_drop();
  EXPECT_EQ(queue.flush(pair.ours.get()), OutputQueue::Flush::kBlocked);
  for (const char* text : {"one ", "two "}) {
    queue.add(text, nullptr);
    queue.let_last_drop();
  }
  queue.add_urgent("pong ");
  queue.add_urgent("close ");
  EXPECT_EQ(all_of(pair, queue), begun + "pong close one two ");
  queue.add_urgent("alone");
  EXPECT_EQ(all_of(pair, queue), "alone");
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
