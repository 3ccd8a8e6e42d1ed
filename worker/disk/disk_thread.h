// The one thread of a worker that waits for disks, so that its loop never does. Whoever wants a
// file system call made hands over a job; it runs there, in order, and reports back in the loop.
// Knows nothing of files or of HTTP.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>

#include "common/loop.h"
#include "common/status.h"

namespace m2 {

// Belongs to who submits it. Nobody else may touch what run() touches until done().
class DiskJob {
 public:
  virtual void run() = 0;   // on the thread; may block
  virtual void done() = 0;  // in the loop, later; may submit the job again, or destroy it

 protected:
  virtual ~DiskJob() = default;

 private:
  friend class DiskJobs;
  DiskJob* next_ = nullptr;
};

// A list in the order of arrival; no memory of its own.
class DiskJobs {
 public:
  void push(DiskJob& job);
  DiskJob* pop();  // nullptr: none
  bool empty() const { return first_ == nullptr; }

 private:
  DiskJob* first_ = nullptr;
  DiskJob* last_ = nullptr;
};

class DiskThread {
 public:
  // The loop outlives it.
  explicit DiskThread(Loop& loop) : loop_(loop) {}
  // Everything that was submitted is run and done before it returns, jobs submitted meanwhile too:
  // for as long as the disk takes. (The master kills a worker that does not end.)
  ~DiskThread();
  DiskThread(const DiskThread&) = delete;
  DiskThread& operator=(const DiskThread&) = delete;

  // Makes the thread unless it is there: a worker that needs no disk has none.
  Status start();
  // After start(). Each job once until its done(): that bounds the queue by the number of jobs.
  void submit(DiskJob& job);

 private:
  void serve();
  void report();

  Loop& loop_;
  AsyncWatcher reports_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  DiskJobs waiting_;  // under mutex_, as all below it
  DiskJobs finished_;
  bool ending_ = false;
  pthread_t thread_{};
  bool started_ = false;  // the loop's
};

}  // namespace m2
