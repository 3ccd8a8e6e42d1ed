// Goal: a file on the disk thread takes bytes in order, says when it is full, and ends without a
// trace whenever it is let go; the loop is never blocked by it. Method: real files; a job of the
// test's own in front of the queue is the disk that stands still.
#include "worker/disk/upload_file.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <semaphore>
#include <sstream>
#include <vector>

namespace m2 {
namespace {

namespace fs = std::filesystem;

// Keeps the thread until it is let go.
class Obstacle final : public DiskJob {
 public:
  void run() override { gone_.acquire(); }
  void done() override { ++ended; }
  void remove() { gone_.release(); }
  int ended = 0;

 private:
  std::binary_semaphore gone_{0};
};

class UploadFileTest : public testing::Test, protected UploadFileUser {
 protected:
  UploadFileTest() : deadlines_(loop_), thread_(std::make_unique<DiskThread>(loop_)) {
    char name[] = "/tmp/m2-upload-file-XXXXXX";
    folder_ = ::mkdtemp(name);
    EXPECT_TRUE(thread_->start().ok());
  }
  ~UploadFileTest() override {
    file_.reset();
    thread_.reset();
    fs::remove_all(folder_);
    EXPECT_EQ(count_.now, 0u);
  }

  void file_created() override { ++created_; }
  void file_has_room() override { ++rooms_; }
  void file_finished() override { ++finished_; }
  void file_failed(const DiskFailure& failure) override { failures_.push_back(failure); }

  void open(const std::string& name = "body.XXXXXX", uint32_t limit_ms = 60000) {
    file_ = UploadFile::open({*thread_, deadlines_, count_, limit_ms}, folder_ + "/" + name, 0600,
                             *this);
  }
  template <typename Condition>
  void until(Condition condition) {
    while (!condition()) loop_.run_once();
  }
  std::string content() const {
    std::ostringstream all;
    all << std::ifstream(file_->path()).rdbuf();
    return all.str();
  }

  Loop loop_;
  Deadlines deadlines_;
  UploadFileCount count_;
  std::unique_ptr<DiskThread> thread_;
  std::string folder_;
  UploadFile::Owned file_;
  int created_ = 0, rooms_ = 0, finished_ = 0;
  std::vector<DiskFailure> failures_;
};

TEST_F(UploadFileTest, TakesBytesInOrderAndEnds) {
  open();
  EXPECT_EQ(created_, 0);
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(777, static_cast<char>('a' + i % 26));
    all += piece;
    file_->append(piece);
    if (file_->full()) {
      const int before = rooms_;
      until([&] { return rooms_ > before; });
    }
  }
  file_->finish();
  until([&] { return finished_ == 1; });
  EXPECT_EQ(created_, 1);
  EXPECT_EQ(content(), all);
  file_->keep();
  const std::string path = file_->path();
  file_.reset();
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(UploadFileTest, MemoryIsBoundedWhileTheDiskStandsStill) {
  open();
  until([&] { return created_ == 1; });
  Obstacle obstacle;
  thread_->submit(obstacle);
  size_t taken = 0;
  const std::string piece(64 * 1024, 'x');
  while (!file_->full()) {
    file_->append(piece);
    taken += piece.size();
    ASSERT_LE(taken, 2 * UploadFile::kBufferBytes + piece.size());
  }
  TimerWatcher beats;  // the loop turns all the same
  struct Beats {
    int count = 0;
    void beat() { ++count; }
  } counted;
  beats.start<&Beats::beat>(loop_, 0.0, 0.001, &counted);
  until([&] { return counted.count == 10; });
  EXPECT_EQ(rooms_, 0);
  obstacle.remove();
  until([&] { return rooms_ == 1; });
  file_->finish();
  until([&] { return finished_ == 1; });
  EXPECT_EQ(content().size(), taken);
  EXPECT_EQ(obstacle.ended, 1);
}

TEST_F(UploadFileTest, LetGoAtAnyTimeLeavesNothing) {
  open();
  file_.reset();  // before it was made
  until([&] { return count_.now == 0; });
  open();
  file_->append("some");
  until([&] { return created_ == 1; });
  file_.reset();  // within
  until([&] { return count_.now == 0; });
  open();
  file_->finish();
  until([&] { return finished_ == 1; });
  file_.reset();  // done, but not kept
  until([&] { return count_.now == 0; });
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(UploadFileTest, WhatIsUnderWayAtTheEndOfTheWorkerGoesToo) {
  open();
  until([&] { return created_ == 1; });
  Obstacle obstacle;
  thread_->submit(obstacle);
  file_->append("some");
  file_.reset();
  obstacle.remove();
  thread_.reset();
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_EQ(count_.now, 0u);
}

TEST_F(UploadFileTest, ReportsThatItCannotBeMade) {
  open("nowhere/body.XXXXXX");
  until([&] { return !failures_.empty(); });
  EXPECT_EQ(failures_[0].step, DiskFailure::Step::kCreate);
  EXPECT_EQ(failures_[0].error, ENOENT);
  EXPECT_EQ(created_, 0);
}

TEST_F(UploadFileTest, ADiskThatTakesTooLongIsAFailure) {
  Obstacle obstacle;
  thread_->submit(obstacle);
  open("body.XXXXXX", 100);
  until([&] { return !failures_.empty(); });
  EXPECT_EQ(failures_[0].error, ETIMEDOUT);
  file_.reset();
  EXPECT_EQ(count_.now, 1u);  // the disk has it still
  obstacle.remove();
  until([&] { return count_.now == 0; });
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace m2
