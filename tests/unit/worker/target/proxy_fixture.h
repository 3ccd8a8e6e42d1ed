// What the tests of Proxy share: a real Clients with one route to a Proxy, clients and a scripted
// backend on loopback sockets, and a log that can be read. All in one thread: run_until() turns the
// server's loop until something is true; its limit is far beyond what any machine needs.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/deadlines.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "worker/generation.h"
#include "worker/http/access_log.h"
#include "worker/http/clients.h"
#include "worker/target/proxy.h"

namespace m2 {

// The test's end of a connection: to the server as a client, or from the proxy as a backend.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd), closed_(fd < 0) {}

  void send(std::string_view bytes) { EXPECT_EQ(send_some(bytes), bytes.size()); }
  size_t send_some(std::string_view bytes) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  // Everything that has arrived and was not taken.
  const std::string& read() {
    char buffer[65536];
    while (fd_.valid()) {
      const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (count > 0) {
        received_.append(buffer, static_cast<size_t>(count));
        continue;
      }
      if (count == 0 || (errno != EAGAIN && errno != EINTR)) closed_ = true;
      break;
    }
    return received_;
  }
  bool has(std::string_view text) { return read().find(text) != std::string::npos; }
  std::string take() { return std::exchange(received_, {}); }
  bool closed() {
    read();
    return closed_;
  }
  void close() { fd_.reset(); }
  void finish() { ::shutdown(fd_.get(), SHUT_WR); }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }

 private:
  OwnedFd fd_;
  std::string received_;
  bool closed_;
};

inline sockaddr_in loopback(const char* address, uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, address, &where.sin_addr), 1);
  return where;
}

// Listens; accepts only when asked to.
class TestBackend {
 public:
  // port 0: any.
  explicit TestBackend(int backlog = 64, int receive_buffer = 0, uint16_t port = 0)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    if (receive_buffer > 0) {
      ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in where = loopback("127.0.0.1", port);
    socklen_t length = sizeof where;
    auto* raw = reinterpret_cast<sockaddr*>(&where);
    EXPECT_EQ(::bind(listener_.get(), raw, length), 0);
    EXPECT_EQ(::listen(listener_.get(), backlog), 0);
    EXPECT_EQ(::getsockname(listener_.get(), raw, &length), 0);
    port_ = ntohs(where.sin_port);
  }
  uint16_t port() const { return port_; }
  std::unique_ptr<Peer> accept() {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK);
    return fd < 0 ? nullptr : std::make_unique<Peer>(fd);
  }
  void stop_listening() { listener_.reset(); }

 private:
  OwnedFd listener_;
  uint16_t port_ = 0;
};

class ProxyTest : public testing::Test, protected TargetSource {
 protected:
  ProxyTest()
      : log_(::memfd_create("log", MFD_CLOEXEC)),
        deadlines_(loop_),
        access_log_(loop_, OwnedFd()),
        clients_(loop_, deadlines_, access_log_, 1) {
    log_open("test", log_.get(), LogLevel::kDebug);
    row_ = {1, "127.0.0.1", backend_.port(), {{"127.0.0.1", backend_.port(), {"127.0.0.1"}}}};
    // Long enough that no slow machine gets there; tests of deadlines set their own.
    limits_.connect_ms = limits_.answer_ms = limits_.idle_ms = 60000;
    backends_.set_ask([this] { ++asked_; });
    proxy_limits_.via = false;  // out of the way of what a test is about
  }

  ~ProxyTest() override { log_redirect(-1); }  // log_ goes away, the log stays

  // A configuration whose one route, "/", leads to row_ with limits_.
  void configure() {
    Config config;
    config.settings = settings_;
    config.proxies = {row_};
    config.hosts = {{.id = 1,
                     .name = "localhost",
                     .matching = "localhost",
                     .routes = {{.id = 1, .path = "/", .kind = TargetKind::kProxy, .target = 0}}}};
    auto generation = Generation::build(1, config, *this);
    ASSERT_TRUE(generation.ok()) << generation.message();
    clients_.use(std::move(generation).value());
  }

  std::unique_ptr<Peer> connect_client(int buffers = 0) {
    OwnedFd listener(::socket(AF_INET, SOCK_STREAM, 0));
    OwnedFd client(::socket(AF_INET, SOCK_STREAM, 0));
    for (const int fd : {listener.get(), client.get()}) {
      if (buffers == 0) break;
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers, sizeof buffers);
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffers, sizeof buffers);
    }
    sockaddr_in where = loopback("127.0.0.1", 0);
    socklen_t length = sizeof where;
    auto* raw = reinterpret_cast<sockaddr*>(&where);
    EXPECT_EQ(::bind(listener.get(), raw, length), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), raw, &length), 0);
    EXPECT_EQ(::connect(client.get(), raw, length), 0);
    sockaddr_storage peer{};
    length = sizeof peer;
    OwnedFd server(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC));
    clients_.accepted(std::move(server), peer);
    return std::make_unique<Peer>(client.release());
  }

  // False: it never became true.
  bool run_until(const std::function<bool()>& condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      loop_.run_once();
    }
    return true;
  }
  // Long enough for what should not happen to happen, were it to.
  void run_for(int ms) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    while (std::chrono::steady_clock::now() < limit) loop_.run_once();
  }
  // Sends until nobody has taken a byte for a while; returns how many were taken.
  size_t send_until_stuck(Peer& peer, std::string_view bytes) {
    size_t sent = 0;
    auto last = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - last < std::chrono::milliseconds(300)) {
      const size_t now = peer.send_some(bytes.substr(sent));
      sent += now;
      if (now > 0) last = std::chrono::steady_clock::now();
      loop_.run_once();
    }
    return sent;
  }
  std::unique_ptr<Peer> accept() {
    std::unique_ptr<Peer> peer;
    EXPECT_TRUE(run_until([&] { return (peer = backend_.accept()) != nullptr; }));
    return peer != nullptr ? std::move(peer) : std::make_unique<Peer>(-1);
  }
  // What arrives up to and with `end`.
  std::string expect(Peer& peer, std::string_view end) {
    EXPECT_TRUE(run_until([&] { return peer.has(end) || peer.closed(); })) << peer.read();
    return peer.take();
  }
  // One GET through a backend connection that is there already.
  void serve(Peer& client, Peer& backend, std::string_view path) {
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(expect(backend, "\r\n\r\n").starts_with("GET " + std::string(path) + " HTTP/1.1"));
    backend.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(expect(client, "ok"), "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  }
  bool logged(std::string_view text) {
    std::string all(static_cast<size_t>(::lseek(log_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(log_.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
    return all.find(text) != std::string::npos;
  }
  std::string backend_name() const { return "backend 127.0.0.1:" + std::to_string(row_.port); }
  const BackendPool& pool(size_t at = 0) const {
    return proxy_->balancer().backends().at(at)->pool;
  }

  Result<std::shared_ptr<Target>> directory(const DirRow&,
                                            std::shared_ptr<const MimeTable>) override {
    return Status::error("no directories here");
  }
  Result<std::shared_ptr<Target>> handler(const HandlerRow&) override {
    return Status::error("no handlers here");
  }
  Result<std::shared_ptr<Target>> proxy(const ProxyRow& row) override {
    std::vector<std::shared_ptr<Backend>> backends;
    for (const BackendRow& each : row.backends) {
      backends.push_back(backends_.backend(each, limits_));
    }
    auto made = std::make_shared<Proxy>(loop_, deadlines_, row, std::move(backends), proxy_limits_);
    proxy_ = made.get();
    return std::shared_ptr<Target>(std::move(made));
  }

  OwnedFd log_;
  TestBackend backend_;
  ProxyRow row_;
  PoolLimits limits_;
  ProxyLimits proxy_limits_;
  Settings settings_;
  Loop loop_;
  Deadlines deadlines_;
  Backends backends_{loop_, deadlines_};
  unsigned asked_ = 0;  // for another look-up
  AccessLog access_log_;
  Clients clients_;
  Proxy* proxy_ = nullptr;  // of the last configuration
};

}  // namespace m2
