#include "common/log_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace m2 {
namespace {

constexpr int kPatienceMs = 1000;
constexpr uint64_t kImpatienceMs = 10'000;
constexpr size_t kLineBytesMax = 64 * 1024;

// What the writer says after each packet: all of it, so that one that is lost does not matter.
struct Word {
  uint64_t handled = 0;
  uint64_t lost = 0;
  int64_t reason = 0;
};

uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

struct Attached {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))] = {};
};

}  // namespace

int LogChannel::patience_ms() const { return now_ms() < impatient_until_ms_ ? 0 : kPatienceMs; }

// Hears what the writer says until all is written, or that time is over.
void LogChannel::hear(int patience_ms) {
  const uint64_t end = now_ms() + static_cast<uint64_t>(patience_ms);
  while (handled_ != sent_) {
    Word word;
    const ssize_t size = ::recv(socket_.get(), &word, sizeof word, MSG_DONTWAIT);
    if (size == sizeof word) {
      handled_ = word.handled;
      lost_ = word.lost;
      reason_ = static_cast<int>(word.reason);
      continue;
    }
    if (size >= 0 || (errno != EAGAIN && errno != EINTR)) return;  // gone: the next send says so
    const uint64_t now = now_ms();
    if (now >= end) {
      if (patience_ms != 0) impatient_until_ms_ = now + kImpatienceMs;
      return;
    }
    pollfd readable{socket_.get(), POLLIN, 0};
    ::poll(&readable, 1, static_cast<int>(end - now));
  }
}

bool LogChannel::send(std::string_view text, int fd) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  Attached control;
  if (fd >= 0) {
    packet.msg_control = control.bytes;
    packet.msg_controllen = sizeof control.bytes;
    cmsghdr* attached = CMSG_FIRSTHDR(&packet);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(attached), &fd, sizeof fd);
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket_.get(), &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return false;
  ++sent_;
  return true;
}

LogLoss LogChannel::write(std::string_view line) {
  hear(0);
  move_on();
  LogLoss loss;
  if (!send(line, -1)) {
    loss = {errno, 1};
  } else {
    hear(patience_ms());
  }
  if (lost_ == lost_said_) return loss;
  if (loss.reason == 0) loss.reason = reason_;
  loss.lines += lost_ - std::exchange(lost_said_, lost_);
  return loss;
}

void LogChannel::redirect(int fd) {
  other_file_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  hear(0);
  move_on();
  hear(patience_ms());
}

// While the writer takes nothing the other file waits too.
void LogChannel::move_on() {
  if (other_file_.valid() && send("", other_file_.get())) other_file_.reset();
}

void serve_log_channel(int socket, OwnedFd fd) {
  LogFile file(fd.get());
  Word word;
  std::vector<char> line(kLineBytesMax);
  for (;;) {
    iovec part{line.data(), line.size()};
    Attached control;
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.bytes;
    packet.msg_controllen = sizeof control.bytes;
    const ssize_t size = ::recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    cmsghdr* const attached = size < 0 ? nullptr : CMSG_FIRSTHDR(&packet);
    if (attached != nullptr && attached->cmsg_type == SCM_RIGHTS) {
      int fresh;
      std::memcpy(&fresh, CMSG_DATA(attached), sizeof fresh);
      fd.reset(fresh);
      file = LogFile(fd.get());
    } else if (size <= 0) {
      return;
    } else {
      const LogLoss loss = file.write({line.data(), static_cast<size_t>(size)});
      word.lost += loss.lines;
      word.reason = loss.reason;
    }
    ++word.handled;
    ::send(socket, &word, sizeof word, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

}  // namespace m2
