// What the tests of a connection share: one client in memory, bytes in at one end of a socket pair,
// scripted targets behind it.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/target/target.h"

namespace m2 {

// Answers "METHOD PATH BODY", at once or when told to.
class FakeTarget final : public Target, public Responder {
 public:
  explicit FakeTarget(BodyPolicy policy) : policy_(policy) {}
  BodyPolicy body_policy(const Exchange&) const override { return policy_; }
  void start(Exchange& exchange) override {
    ++started;
    request = std::string(exchange.method()) + " " + std::string(exchange.path());
    received = exchange.body();
    waiting = &exchange;
    exchange.set_responder(this);
    if (pause) exchange.client().set_body_paused(true);
    if (policy_ == BodyPolicy::kStream && exchange.head().framing != BodyFraming::kNone) return;
    if (!hold) answer();
  }
  void body(std::string_view bytes, bool last) override {
    received += bytes;
    if (last && !hold) answer();
  }
  void pull() override {}
  void stop() override { ++stopped, waiting = nullptr; }
  void client_half_closed() override { ++half_closed; }
  void answer() {
    const std::string text = request + " " + received;
    Exchange& exchange = *waiting;
    waiting = nullptr;
    exchange.set_status(200);
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n" +
                  std::string(exchange.connection_field()) + "\r\n" + text);
    exchange.complete();
  }

  bool hold = false;
  bool pause = false;  // bodies, from the start
  int started = 0, stopped = 0, half_closed = 0;
  std::string request, received;
  Exchange* waiting = nullptr;

 private:
  BodyPolicy policy_;
};

class FakeSource final : public TargetSource {
 public:
  std::shared_ptr<FakeTarget> whole = std::make_shared<FakeTarget>(BodyPolicy::kWhole);
  std::shared_ptr<FakeTarget> stream = std::make_shared<FakeTarget>(BodyPolicy::kStream);
  std::shared_ptr<FakeTarget> ignore = std::make_shared<FakeTarget>(BodyPolicy::kIgnore);
  std::shared_ptr<Target> replacement;  // of stream, when there is one
  Result<std::shared_ptr<Target>> directory(const DirRow&,
                                            std::shared_ptr<const MimeTable>) override {
    return std::shared_ptr<Target>(ignore);
  }
  Result<std::shared_ptr<Target>> proxy(const ProxyRow&) override {
    return replacement ? replacement : std::shared_ptr<Target>(stream);
  }
  Result<std::shared_ptr<Target>> handler(const HandlerRow&) override {
    return std::shared_ptr<Target>(whole);
  }
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest()
      : deadlines(loop),
        log(loop, OwnedFd()),
        clients(loop, deadlines, log, first_connection_id(0, 1)) {
    use({});
  }

  void use(const std::vector<std::pair<std::string, std::string>>& settings) {
    Config config;
    config.dirs.resize(1);
    config.proxies.resize(1);
    config.handlers.resize(1);
    config.hosts.push_back({1,
                            "localhost",
                            "localhost",
                            {{1, "/whole", TargetKind::kHandler, 0},
                             {2, "/stream", TargetKind::kProxy, 0},
                             {3, "/ignore", TargetKind::kDir, 0}}});
    EXPECT_TRUE(config.settings.set("limits.content_length", "50").ok());
    for (const auto& [key, value] : settings) EXPECT_TRUE(config.settings.set(key, value).ok());
    auto generation = Generation::build(1, config, source);
    ASSERT_TRUE(generation.ok());
    clients.use(std::move(generation).value());
  }

  void connect() {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    client.reset(ends[1]);
    sockaddr_storage peer{};
    clients.accepted(OwnedFd(ends[0]), peer);
  }
  void turns(int count = 3) {
    for (int i = 0; i < count; ++i) {
      TimerWatcher soon;
      soon.start<&ConnectionTest::nothing>(loop, 0.0, 0.0, this);
      loop.run_once();
    }
  }
  void nothing() {}
  void say(std::string_view bytes) {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    turns();
  }
  std::string heard() {
    std::string all;
    char buffer[65536];
    ssize_t count;
    while ((count = ::recv(client.get(), buffer, sizeof buffer, 0)) > 0) {
      all.append(buffer, static_cast<size_t>(count));
    }
    closed = count == 0;
    return all;
  }
  static bool has(const std::string& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
  }

  Loop loop;
  Deadlines deadlines;
  AccessLog log;
  FakeSource source;
  Clients clients;
  OwnedFd client;
  bool closed = false;
};

}  // namespace m2
