#include "worker/disk/disk_thread.h"

#include <csignal>

#include "common/check.h"

namespace m2 {

void DiskJobs::push(DiskJob& job) {
  job.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &job;
  last_ = &job;
}

DiskJob* DiskJobs::pop() {
  DiskJob* const job = first_;
  if (job == nullptr) return nullptr;
  first_ = job->next_;
  if (first_ == nullptr) last_ = nullptr;
  return job;
}

DiskThread::~DiskThread() {
  if (!started_) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wanted_.notify_one();
  ::pthread_join(thread_, nullptr);
  report();
}

Status DiskThread::start() {
  if (started_) return {};
  reports_.start<&DiskThread::report>(loop_, this);
  // Signals are for the thread that has the loop.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failed = ::pthread_create(
      &thread_, nullptr,
      [](void* self) -> void* {
        static_cast<DiskThread*>(self)->serve();
        return nullptr;
      },
      this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) return Status::from_errno("a thread for the disk", failed);
  ::pthread_setname_np(thread_, "m2-disk");
  started_ = true;
  return {};
}

void DiskThread::submit(DiskJob& job) {
  CHECK(started_);
  if (ending_) {  // written by this thread alone
    job.run();
    return job.done();
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.push(job);
  }
  wanted_.notify_one();
}

void DiskThread::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    DiskJob* const job = waiting_.pop();
    if (job == nullptr) return;  // ending, and nothing is left
    lock.unlock();
    job->run();
    lock.lock();
    finished_.push(*job);
    if (!ending_) reports_.send();
  }
}

void DiskThread::report() {
  for (;;) {
    DiskJob* job;
    {
      const std::lock_guard lock(mutex_);
      job = finished_.pop();
    }
    if (job == nullptr) return;
    job->done();
  }
}

}  // namespace m2
