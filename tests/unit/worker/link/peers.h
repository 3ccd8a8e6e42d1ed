// What the tests of worker/link and worker/relay share: a loop that turns until something is true,
// a handler made of plain libzmq sockets in a context of its own, and listening sockets for both.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "worker/link/zmq_context.h"

namespace m2::test {

// Our side of every test. The limit is for broken code only: nothing waits for it when all is well.
class Turns {
 public:
  Turns() { tick_.start<&Turns::nothing>(loop, 0.002, 0.002, this); }

  template <typename Condition>
  [[nodiscard]] bool until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      loop.run_once();
    }
    return true;
  }

  Loop loop;
  ZmqContext context{1};

 private:
  void nothing() {}
  TimerWatcher tick_;  // so that until() looks again, also at what only the other side sees
};

struct Listener {
  std::string endpoint;
  OwnedFd fd;
};

inline Listener listen_tcp() {
  Listener listener;
  listener.fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.fd.get(), generic, size), 0);
  EXPECT_EQ(::listen(listener.fd.get(), 128), 0);
  EXPECT_EQ(::getsockname(listener.fd.get(), generic, &size), 0);
  listener.endpoint = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  return listener;
}

class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/m2-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string ipc(const std::string& name) const { return "ipc://" + file(name); }

 private:
  std::string path_;
};

inline sockaddr_un ipc_address(const std::string& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, endpoint.c_str() + std::strlen("ipc://"),
               sizeof address.sun_path - 1);
  return address;
}

inline Listener listen_ipc(const std::string& endpoint) {
  Listener listener{endpoint, OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  const sockaddr_un address = ipc_address(endpoint);
  EXPECT_EQ(::bind(listener.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
  EXPECT_EQ(::listen(listener.fd.get(), 128), 0);
  return listener;
}

// A plain socket, for a peer that is no libzmq.
inline OwnedFd connect_ipc(const std::string& endpoint) {
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = ipc_address(endpoint);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

inline void send_text(zmq::socket_t& socket, std::string_view text) {
  socket.send(zmq::message_t(text.data(), text.size()), zmq::send_flags::dontwait);
}

inline std::optional<std::string> receive_text(zmq::socket_t& socket) {
  zmq::message_t message;
  if (!socket.recv(message, zmq::recv_flags::dontwait)) return std::nullopt;
  return message.to_string();
}

// A handler as the manual has it: PULL for requests, PUB for replies, both connecting.
class HandlerPeer {
 public:
  HandlerPeer(const std::string& send_spec, const std::string& recv_spec)
      : requests(context_, ZMQ_PULL), replies(context_, ZMQ_PUB) {
    requests.set(zmq::sockopt::linger, 0);
    replies.set(zmq::sockopt::linger, 0);
    requests.connect(send_spec);
    replies.connect(recv_spec);
  }

 private:
  zmq::context_t context_{1};

 public:
  zmq::socket_t requests;
  zmq::socket_t replies;
};

// How often connections of a socket have ended from now on. Destroyed before the socket.
class Ends final : zmq::monitor_t {
 public:
  explicit Ends(zmq::socket_t& socket) { init(socket, "inproc://ends", ZMQ_EVENT_DISCONNECTED); }
  int count() {
    while (check_event(0)) {
    }
    return count_;
  }

 private:
  void on_event_disconnected(const zmq_event_t&, const char*) override { ++count_; }
  int count_ = 0;
};

}  // namespace m2::test
