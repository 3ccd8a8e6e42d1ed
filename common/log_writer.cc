#include "common/log_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <string>

#include "common/owned_fd.h"

namespace m2 {
namespace {

constexpr std::chrono::seconds kEndLimit(2);
// Memory that is kept for the next lines.
constexpr size_t kKeptBytes = 256 * 1024;

// One file, and what became of the lines for it. Used by one thread at a time.
class LogFile {
 public:
  explicit LogFile(int fd) : fd_(fd) {}

  // Later it may be closed outside.
  void keep() {
    if (fd_ < 0) return;
    kept_.reset(::fcntl(fd_, F_DUPFD_CLOEXEC, 3));
    fd_ = kept_.get();
  }
  // 0, or the errno.
  int write(std::string_view text) {
    if (fd_ < 0) return 0;
    // The line before it broke off: its rest is lost, the next one shall not hang on to it.
    const bool torn = torn_;
    std::string mended;
    if (torn) text = mended.append("\n").append(text);
    ssize_t written;
    do {
      written = ::write(fd_, text.data(), text.size());
    } while (written < 0 && errno == EINTR);
    if (written == static_cast<ssize_t>(text.size())) {
      torn_ = false;
      return 0;
    }
    const int reason = written < 0 ? errno : ENOSPC;
    if (written > 0) torn_ = text[static_cast<size_t>(written) - 1] != '\n';
    return reason;
  }

 private:
  int fd_;
  OwnedFd kept_;
  bool torn_ = false;
};

}  // namespace

struct LogWriter::Shared {
  struct Batch {
    std::shared_ptr<LogFile> file;
    std::string text;
    uint64_t lines = 0;
  };

  std::mutex mutex;
  std::condition_variable wanted;   // by the thread: something to do
  std::condition_variable written;  // by the destructor: all is done
  std::shared_ptr<LogFile> file;    // for the lines to come
  std::deque<Batch> waiting;
  std::string spare;
  size_t waiting_bytes = 0;
  bool writing = false;
  bool ending = false;

  uint64_t lost = 0;
  int reason = 0;  // of the latest loss; 0: the latest write worked
  bool loss_said = false;
  std::atomic<bool> has_news = false;

  void note(int why, uint64_t lines) {
    if (why != 0) lost += lines;
    reason = why;
    const bool news = why != 0 ? !loss_said : lost != 0;
    if (news) has_news.store(true, std::memory_order_relaxed);
  }
};

LogWriter::LogWriter(int fd) : shared_(std::make_shared<Shared>()) {
  shared_->file = std::make_shared<LogFile>(fd);
}

LogWriter::~LogWriter() {
  if (!started_) return;
  std::unique_lock lock(shared_->mutex);
  shared_->ending = true;
  shared_->wanted.notify_one();
  shared_->written.wait_for(lock, kEndLimit,
                            [this] { return shared_->waiting.empty() && !shared_->writing; });
}

Status LogWriter::start() {
  if (started_) return {};
  // Signals are for the thread that has the loop.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  keeps_ = true;
  shared_->file->keep();
  auto* const share = new std::shared_ptr<Shared>(shared_);
  pthread_t thread;
  const int failed = ::pthread_create(&thread, nullptr, &LogWriter::serve, share);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) {
    delete share;
    return Status::from_errno("a thread for log lines", failed);
  }
  ::pthread_setname_np(thread, "m2-log");
  ::pthread_detach(thread);
  started_ = true;
  return {};
}

void LogWriter::write(std::string_view text, uint64_t lines) {
  Shared& shared = *shared_;
  if (!started_) return shared.note(shared.file->write(text), lines);
  {
    const std::lock_guard lock(shared.mutex);
    if (shared.waiting_bytes + text.size() > kWaitingBytesMax) return shared.note(EAGAIN, lines);
    if (shared.waiting.empty() || shared.waiting.back().file != shared.file) {
      shared.waiting.push_back({shared.file, std::exchange(shared.spare, {}), 0});
    }
    Shared::Batch& last = shared.waiting.back();
    last.text += text;
    last.lines += lines;
    shared.waiting_bytes += text.size();
    if (shared.writing) return;  // it looks again before it sleeps
  }
  shared.wanted.notify_one();
}

void LogWriter::redirect(int fd) {
  const auto file = std::make_shared<LogFile>(fd);
  if (keeps_) file->keep();
  const std::lock_guard lock(shared_->mutex);
  shared_->file = file;
}

std::string LogWriter::news() {
  Shared& shared = *shared_;
  if (!shared.has_news.exchange(false, std::memory_order_relaxed)) return {};
  const std::lock_guard lock(shared.mutex);
  if (shared.lost == 0) return {};
  shared.loss_said = shared.reason != 0;
  if (shared.reason == EAGAIN) return "lines are being lost: the file takes none for now";
  if (shared.reason != 0) {
    return Status::from_errno("lines are being lost: write", shared.reason).message();
  }
  return "writes work again; lines lost: " + std::to_string(std::exchange(shared.lost, 0));
}

void* LogWriter::serve(void* argument) {
  const std::unique_ptr<std::shared_ptr<Shared>> share(
      static_cast<std::shared_ptr<Shared>*>(argument));
  Shared& shared = **share;
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.wanted.wait(lock, [&] { return shared.ending || !shared.waiting.empty(); });
    if (shared.waiting.empty()) return nullptr;
    Shared::Batch batch = std::move(shared.waiting.front());
    shared.waiting.pop_front();
    shared.waiting_bytes -= batch.text.size();
    shared.writing = true;
    lock.unlock();
    const int reason = batch.file->write(batch.text);
    batch.file.reset();
    batch.text.clear();
    lock.lock();
    shared.writing = false;
    shared.note(reason, batch.lines);
    if (batch.text.capacity() <= kKeptBytes) shared.spare = std::move(batch.text);
    if (shared.waiting.empty()) shared.written.notify_one();
  }
}

}  // namespace m2
