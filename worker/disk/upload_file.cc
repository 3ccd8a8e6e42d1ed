#include "worker/disk/upload_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/log_limit.h"

namespace m2 {

UploadFile::UploadFile(const Disk& disk, std::string path_template, mode_t mode,
                       UploadFileUser& user)
    : disk_(disk), template_(std::move(path_template)), mode_(mode), user_(&user) {
  ++disk_.count.now;
}

UploadFile::~UploadFile() { --disk_.count.now; }

UploadFile::Owned UploadFile::open(const Disk& disk, std::string path_template, mode_t mode,
                                   UploadFileUser& user) {
  Owned file(new UploadFile(disk, std::move(path_template), mode, user));
  file->begin(Work::kCreate);
  return file;
}

void UploadFile::append(std::string_view bytes) {
  CHECK(!ending_);
  filling_.append(bytes);
  was_full_ = full();
  go_on();
}

void UploadFile::finish() {
  ending_ = true;
  go_on();
}

void UploadFile::abandon() {
  user_ = nullptr;
  disk_.deadlines.clear(*this);
  go_on();
}

// Whatever is due next, if the thread has nothing of ours. May destroy it.
void UploadFile::go_on() {
  if (work_ != Work::kNone) return;
  if (user_ == nullptr) {
    if (!there_ || kept_) {
      delete this;
      return;
    }
    return begin(Work::kRemove);
  }
  if (failed_ || finished_ || !there_) return;
  if (!filling_.empty()) {
    std::swap(filling_, writing_);
    return begin(Work::kWrite);
  }
  if (ending_) begin(Work::kFinish);
}

void UploadFile::begin(Work work) {
  work_ = work;
  if (user_ != nullptr) disk_.deadlines.set(*this, disk_.limit_ms);
  disk_.thread.submit(*this);
}

void UploadFile::run() {
  switch (work_) {
    case Work::kNone:
      break;
    case Work::kCreate:
      error_ = file_.create(template_, mode_);
      break;
    case Work::kWrite:
      error_ = file_.write(writing_);
      break;
    case Work::kFinish:
      error_ = file_.finish();
      break;
    case Work::kRemove:
      error_ = file_.remove();
      break;
  }
}

void UploadFile::done() {
  const Work work = std::exchange(work_, Work::kNone);
  const int error = std::exchange(error_, 0);
  disk_.deadlines.clear(*this);
  if (work == Work::kCreate) there_ = error == 0;
  if (work == Work::kRemove) {
    there_ = false;
    if (error != 0) {
      static LogLimit limit("uploads that cannot be removed", LogLevel::kError);
      limit.write(file_.path() + ": cannot be removed: " + std::strerror(error) + "; remove it");
    }
  }
  writing_.clear();
  if (user_ == nullptr || failed_) return go_on();
  if (error != 0) {
    return fail(work == Work::kCreate  ? DiskFailure::Step::kCreate
                : work == Work::kWrite ? DiskFailure::Step::kWrite
                                       : DiskFailure::Step::kFinish,
                error);
  }
  // The user's calls come last: they may be the end of this object.
  switch (work) {
    case Work::kCreate:
      go_on();
      return user_->file_created();
    case Work::kWrite:
      go_on();
      if (std::exchange(was_full_, false)) user_->file_has_room();
      return;
    case Work::kFinish:
      finished_ = true;
      return user_->file_finished();
    case Work::kNone:
    case Work::kRemove:
      return;
  }
}

// What the disk has to do cannot be taken back, but nobody waits for it any longer.
void UploadFile::deadline_passed() {
  fail(work_ == Work::kCreate  ? DiskFailure::Step::kCreate
       : work_ == Work::kWrite ? DiskFailure::Step::kWrite
                               : DiskFailure::Step::kFinish,
       ETIMEDOUT);
}

void UploadFile::fail(DiskFailure::Step step, int error) {
  failed_ = true;
  user_->file_failed({step, error});
}

}  // namespace m2
