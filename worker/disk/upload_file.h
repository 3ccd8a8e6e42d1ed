// A temporary file that takes bytes as they come and never blocks the loop: two buffers, one filled
// here while the other is written on the disk thread. Used by FileUpload. Lives until the disk has
// let go of it, however soon its user loses interest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/deadlines.h"
#include "worker/disk/disk_thread.h"
#include "worker/disk/temp_file.h"

namespace m2 {

// What went wrong with a file. error: an errno; ETIMEDOUT: the disk took longer than it may.
struct DiskFailure {
  enum class Step : uint8_t { kCreate, kWrite, kFinish };
  Step step = Step::kCreate;
  int error = 0;
};

// Called in the loop. Within each call the file may be abandoned.
class UploadFileUser {
 public:
  virtual void file_created() = 0;
  // append() may go on after full().
  virtual void file_has_room() = 0;
  // Everything is in it, and it is closed.
  virtual void file_finished() = 0;
  // The last call.
  virtual void file_failed(const DiskFailure& failure) = 0;

 protected:
  ~UploadFileUser() = default;
};

// How many files there are, whether somebody waits for them or the disk alone.
struct UploadFileCount {
  uint32_t now = 0;
};

class UploadFile final : private DiskJob, private Deadline {
 public:
  // Bytes in memory: append() is called while not full(), and may then pass this by one read of a
  // client.
  static constexpr size_t kBufferBytes = 128 * 1024;

  // All outlive the file; the thread was started.
  struct Disk {
    DiskThread& thread;
    Deadlines& deadlines;
    UploadFileCount& count;
    uint32_t limit_ms;  // for each step
  };
  struct Abandon {
    void operator()(UploadFile* file) const { file->abandon(); }
  };
  using Owned = std::unique_ptr<UploadFile, Abandon>;

  // Creates it; file_created() follows. The user outlives what is returned. Letting go of it
  // removes the file, unless keep() was said.
  static Owned open(const Disk& disk, std::string path_template, mode_t mode, UploadFileUser& user);

  void append(std::string_view bytes);
  // Wait for file_has_room().
  bool full() const { return filling_.size() >= kBufferBytes; }
  // No more comes; file_finished() follows.
  void finish();
  // It is somebody else's now. Only after file_finished().
  void keep() { kept_ = true; }
  const std::string& path() const { return file_.path(); }  // after file_created()

 private:
  enum class Work : uint8_t { kNone, kCreate, kWrite, kFinish, kRemove };

  UploadFile(const Disk& disk, std::string path_template, mode_t mode, UploadFileUser& user);
  ~UploadFile();
  void run() override;
  void done() override;
  void deadline_passed() override;
  void abandon();
  void go_on();
  void begin(Work work);
  void fail(DiskFailure::Step step, int error);

  const Disk disk_;
  const std::string template_;
  const mode_t mode_;
  UploadFileUser* user_;  // nullptr: abandoned
  std::string filling_;
  bool was_full_ = false;
  bool ending_ = false;
  bool finished_ = false;
  bool failed_ = false;
  bool kept_ = false;
  bool there_ = false;  // something may have to be removed
  Work work_ = Work::kNone;
  // The thread's while work_ is not kNone.
  TempFile file_;
  std::string writing_;
  int error_ = 0;
};

}  // namespace m2
