#include "master/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "common/in_quotes.h"

namespace m2 {
namespace {

uint64_t number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  const uint64_t number = text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  ::unsetenv(name);
  return number;
}

// 0: none, or not for this process.
uint64_t watchdog_limit_ms() {
  const uint64_t microseconds = number_from_environment("WATCHDOG_USEC");
  const uint64_t pid = number_from_environment("WATCHDOG_PID");
  return pid == 0 || pid == static_cast<uint64_t>(::getpid()) ? microseconds / 1000 : 0;
}

}  // namespace

Notify Notify::from_environment() {
  Notify notify;
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr) return notify;
  const std::string path = name;
  ::unsetenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return notify;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract name
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  OwnedFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return notify;
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return notify;
  notify.socket_ = std::move(fd);
  notify.watchdog_ms_ = watchdog_limit_ms();
  notify.environment_.push_back("NOTIFY_SOCKET=" + path);
  if (notify.watchdog_ms_ != 0) {
    notify.environment_.push_back("WATCHDOG_USEC=" + std::to_string(notify.watchdog_ms_ * 1000));
  }
  return notify;
}

// A status is one line: what follows a line end would be a message of its own.
void Notify::ready(const std::string& status) const {
  send("READY=1\nSTATUS=" + in_one_line(status));
}

void Notify::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const long long microseconds = now.tv_sec * 1'000'000LL + now.tv_nsec / 1000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void Notify::alive(const std::string& status) const {
  send((watchdog_ms_ != 0 ? "WATCHDOG=1\nSTATUS=" : "STATUS=") + in_one_line(status));
}

void Notify::stopping() const { send("STOPPING=1"); }

void Notify::main_pid(long pid) const { send("MAINPID=" + std::to_string(pid)); }

// A manager that does not listen is not waited for.
void Notify::send(const std::string& text) const {
  if (socket_.valid()) ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace m2
