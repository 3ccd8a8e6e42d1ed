#include "common/log_writer.h"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <string>

#include "common/log_file.h"

namespace m2 {
namespace {

constexpr std::chrono::seconds kEndLimit(2);
// Memory that is kept for the next lines.
constexpr size_t kKeptBytes = 256 * 1024;

}  // namespace

struct LogWriter::Shared {
  struct Batch {
    std::shared_ptr<LogFile> file;
    std::string text;
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

  void note(LogLoss loss) {
    lost += loss.lines;
    reason = loss.reason;
    const bool news = reason != 0 ? !loss_said : lost != 0;
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

void LogWriter::hand_to(OwnedFd channel) {
  channel_ = std::make_unique<LogChannel>(std::move(channel));
}

void LogWriter::write(std::string_view text, uint64_t lines) {
  Shared& shared = *shared_;
  if (channel_) return shared.note(channel_->write(text));
  if (!started_) return shared.note(shared.file->write(text));
  {
    const std::lock_guard lock(shared.mutex);
    if (shared.waiting_bytes + text.size() > kWaitingBytesMax) return shared.note({EAGAIN, lines});
    if (shared.waiting.empty() || shared.waiting.back().file != shared.file) {
      shared.waiting.push_back({shared.file, std::exchange(shared.spare, {})});
    }
    Shared::Batch& last = shared.waiting.back();
    last.text += text;
    shared.waiting_bytes += text.size();
    if (shared.writing) return;  // it looks again before it sleeps
  }
  shared.wanted.notify_one();
}

void LogWriter::redirect(int fd) {
  if (channel_) return channel_->redirect(fd);
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
    const LogLoss loss = batch.file->write(batch.text);
    batch.file.reset();
    batch.text.clear();
    lock.lock();
    shared.writing = false;
    shared.note(loss);
    if (batch.text.capacity() <= kKeptBytes) shared.spare = std::move(batch.text);
    if (shared.waiting.empty()) shared.written.notify_one();
  }
}

}  // namespace m2
