#include "worker/http/access_log.h"

#include <unistd.h>

#include <cerrno>

#include "common/log.h"
#include "common/status.h"
#include "proto/handler/netstring.h"

namespace m2 {
namespace {

constexpr size_t kGatherBytes = 32 * 1024;

}  // namespace

AccessLog::AccessLog(Loop& loop, OwnedFd fd) : loop_(loop), fd_(std::move(fd)) {
  gathered_.reserve(kGatherBytes + 4096);
}

AccessLog::~AccessLog() { flush(); }

void AccessLog::request_fields(std::string_view method, std::string_view path, bool http10,
                               std::string& out) {
  out.clear();
  append_netstring(out, method);
  append_netstring(out, path);
  out += http10 ? "8:HTTP/1.0," : "8:HTTP/1.1,";
}

void AccessLog::add(const AccessLogLine& line) {
  if (!enabled_ || !fd_.valid()) return;
  line_.clear();
  append_netstring(line_, line.host);
  append_netstring(line_, line.peer);
  append_tnet_number(line_, line.peer_port);
  append_tnet_number(line_, static_cast<int64_t>(loop_.now()));
  line_ += line.request;
  append_tnet_number(line_, line.status);
  append_tnet_number(line_, static_cast<int64_t>(line.bytes));
  append_netstring(gathered_, line_, ']');
  gathered_ += '\n';
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
  const ssize_t written = ::write(fd_.get(), gathered_.data(), gathered_.size());
  if (written != static_cast<ssize_t>(gathered_.size())) {
    const int reason = written < 0 ? errno : ENOSPC;
    if (lines_lost_ == 0) {
      log_error(Status::from_errno("access log: lines are being lost, write", reason).message());
    }
    lines_lost_ += lines_gathered_;
  } else if (lines_lost_ != 0) {
    log_warn("access log: writes work again; lines lost: " + std::to_string(lines_lost_));
    lines_lost_ = 0;
  }
  gathered_.clear();
  lines_gathered_ = 0;
}

void AccessLog::redirect(OwnedFd fd) {
  flush();
  fd_ = std::move(fd);
}

}  // namespace m2
