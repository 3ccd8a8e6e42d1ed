#include "master/run_files.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "master/privileges.h"
#include "master/small_file.h"

namespace m2 {
namespace {

constexpr int kPatienceMs = 1000;
constexpr uint64_t kImpatienceMs = 10'000;
constexpr size_t kOrderBytesMax = 256 * 1024;
// What waits behind a disk that hangs. Beyond that the sockets of dead workers stay, until the next
// start.
constexpr size_t kOrdersMax = 256;

constexpr char kWrite = 'w', kRemove = 'r', kRemoveSockets = 's';

uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

void unlink_sockets(const std::string& folder, const std::string& prefix) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  if (directory == nullptr) return;
  std::vector<std::string> paths;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (std::string_view(entry->d_name).starts_with(prefix)) {
      paths.push_back(folder + "/" + entry->d_name);
    }
  }
  for (const std::string& path : paths) {
    struct stat file;
    if (::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode)) ::unlink(path.c_str());
  }
}

Status carry_out(char what, const std::string& path, const std::string& text, const Jail& jail) {
  if (what == kWrite) return replace_file(path, text, jail);
  const AsJailUser rights(jail);
  if (what == kRemoveSockets) {
    unlink_sockets(path, text);
  } else {
    ::unlink(path.c_str());
  }
  return {};
}

}  // namespace

// ---- the master's end

Status RunFiles::write(const std::string& path, const std::string& text) {
  latest_[path] = text;
  return order(kWrite, path, text);
}

Status RunFiles::remove(const std::string& path) {
  latest_.erase(path);
  return order(kRemove, path, "");
}

Status RunFiles::remove_sockets(const std::string& folder, const std::string& prefix) {
  return order(kRemoveSockets, folder, prefix);
}

Status RunFiles::order(char what, const std::string& path, const std::string& text) {
  if (!socket_.valid()) return carry_out(what, path, text, jail_);
  Status before = hear(0);
  if (!send(what, path, text)) {
    if (errno != EPIPE && errno != ECONNRESET) return Status::from_errno(path, errno);
    // The next process hears of what is to be written; what is to go goes at the end, after which
    // none may come.
    if (what == kRemove) return carry_out(what, path, text, jail_);
    return before;
  }
  const bool impatient = now_ms() < impatient_until_ms_;
  Status now = hear(impatient ? 0 : kPatienceMs);
  if (!now.ok()) return now;
  return before;
}

bool RunFiles::send(char what, const std::string& path, const std::string& text) {
  std::string packet(1, what);
  packet.append(path).append(1, '\0').append(text);
  ssize_t sent;
  do {
    sent = ::send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) ++sent_;
  return sent >= 0;
}

// Until all is done, or that time is over. What the other end says: how much it has done, and why
// the last of it failed.
Status RunFiles::hear(int patience_ms) {
  const uint64_t end = now_ms() + static_cast<uint64_t>(patience_ms);
  Status failed;
  char word[1024];
  while (done_ != sent_) {
    const ssize_t size = ::recv(socket_.get(), word, sizeof word, MSG_DONTWAIT);
    if (size >= static_cast<ssize_t>(sizeof done_)) {
      std::memcpy(&done_, word, sizeof done_);
      const std::string why(word + sizeof done_, static_cast<size_t>(size) - sizeof done_);
      if (!why.empty()) failed = Status::error(why);
      continue;
    }
    if (size >= 0 || (errno != EAGAIN && errno != EINTR)) break;  // gone: the next send says so
    const uint64_t now = now_ms();
    if (now >= end) {
      if (patience_ms == 0) break;
      impatient_until_ms_ = now + kImpatienceMs;
      return Status::error("the disk below it takes nothing; the latest is written when it does");
    }
    pollfd readable{socket_.get(), POLLIN, 0};
    ::poll(&readable, 1, static_cast<int>(end - now));
  }
  return failed;
}

void RunFiles::hand_to(OwnedFd socket) {
  socket_ = std::move(socket);
  sent_ = done_ = 0;
  for (const auto& [path, text] : latest_) (void)send(kWrite, path, text);
}

// ---- the other end

namespace {

// One thread takes orders, so that the master always finds room for the next; another one carries
// them out.
class Orders {
 public:
  explicit Orders(int socket) : socket_(socket) {}

  void add(std::string_view packet) {
    const size_t end = packet.find('\0');
    if (packet.empty() || end == packet.npos) return;
    Order order{packet[0], std::string(packet.substr(1, end - 1)),
                std::string(packet.substr(end + 1)), 1};
    const std::lock_guard lock(mutex_);
    const auto older = std::find_if(waiting_.begin(), waiting_.end(), [&](const Order& other) {
      return order.what != kRemoveSockets && other.what != kRemoveSockets &&
             other.path == order.path;
    });
    if (older != waiting_.end()) {
      order.counts += older->counts;
      *older = std::move(order);
    } else if (waiting_.size() < kOrdersMax) {
      waiting_.push_back(std::move(order));
    } else {
      waiting_.back().counts += 1;
    }
    wanted_.notify_one();
  }

  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    wanted_.notify_one();
  }

  void carry_all_out() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wanted_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const Order order = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      const Status status = carry_out(order.what, order.path, order.text, Jail{});
      done_ += order.counts;
      say(status);
      lock.lock();
    }
  }

 private:
  struct Order {
    char what;
    std::string path;
    std::string text;
    uint64_t counts;  // itself, and those that it stands for
  };

  void say(const Status& status) {
    char word[1024];
    std::memcpy(word, &done_, sizeof done_);
    const size_t size =
        status.ok() ? 0 : std::min(status.message().size(), sizeof word - sizeof done_);
    std::memcpy(word + sizeof done_, status.message().data(), size);
    ::send(socket_, word, sizeof done_ + size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  const int socket_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Order> waiting_;
  bool ended_ = false;
  uint64_t done_ = 0;  // of the thread that carries out
};

}  // namespace

void serve_run_files(int socket) {
  Orders orders(socket);
  std::thread hands([&orders] { orders.carry_all_out(); });
  std::vector<char> packet(kOrderBytesMax);
  for (;;) {
    const ssize_t size = ::recv(socket, packet.data(), packet.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    orders.add({packet.data(), static_cast<size_t>(size)});
  }
  orders.end();
  hands.join();
}

}  // namespace m2
