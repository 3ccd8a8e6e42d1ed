#include "worker/http/access_log.h"

#include "common/log.h"

namespace m2 {
namespace {

constexpr size_t kGatherBytes = 32 * 1024;

}  // namespace

AccessLog::AccessLog(Loop& loop, OwnedFd fd)
    : loop_(loop), writer_(fd.get()), enabled_(fd.valid()) {
  gathered_.reserve(kGatherBytes + 4096);
  if (!fd.valid()) return;
  if (const Status started = writer_.start(); !started.ok()) log_warn(started.message());
}

AccessLog::~AccessLog() { flush(); }

void AccessLog::add(const AccessLogLine& line) {
  if (!enabled_) return;
  append_access_line(line, line_, gathered_);
  ++lines_gathered_;
  if (gathered_.size() >= kGatherBytes || flush_s_ <= 0) {
    flush();
  } else if (!timer_.active()) {
    timer_.start<&AccessLog::flush>(loop_, flush_s_, 0.0, this);
  }
}

void AccessLog::flush() {
  timer_.stop();
  if (gathered_.empty()) return;
  writer_.write(gathered_, lines_gathered_);
  if (const std::string news = writer_.news(); !news.empty()) log_warn("access log: " + news);
  gathered_.clear();
  lines_gathered_ = 0;
}

void AccessLog::redirect(OwnedFd fd) {
  flush();
  writer_.redirect(fd.get());
}

}  // namespace m2
