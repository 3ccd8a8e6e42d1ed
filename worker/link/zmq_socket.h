// One 0MQ socket inside our loop. With zmq_socket.cc the only file that sends and receives through
// libzmq, and the only one that knows when its descriptor may be waited on. It never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "worker/link/zmq_context.h"

namespace m2 {

using ZmqMessage = zmq::message_t;
inline std::string_view bytes_of(const ZmqMessage& message) { return message.to_string_view(); }

class ZmqSocket;

class ZmqSocketUser {
 public:
  // One whole message (of a multipart one the first part; the rest is discarded already). Who
  // copies the pointer keeps the bytes where they are; who moves the contents away may do so. The
  // socket may be destroyed in the call.
  virtual void zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message,
                           bool multipart) = 0;
  // The same for a socket with the option parts: all parts of one message.
  virtual void zmq_parts(ZmqSocket&, std::vector<ZmqMessage>&) {}
  // A send that found no room may succeed now.
  virtual void zmq_writable(ZmqSocket&) {}

 protected:
  ~ZmqSocketUser() = default;
};

enum class ZmqKind : int {
  kPair = ZMQ_PAIR,
  kPull = ZMQ_PULL,
  kPush = ZMQ_PUSH,
  kRep = ZMQ_REP,
  kSub = ZMQ_SUB,
};

// One incoming message may be this large; its connection is ended otherwise.
inline constexpr int64_t kZmqMessageMax = int64_t{1} << 30;

struct ZmqSocketOptions {
  int send_mark = 1;  // messages that one peer may owe us a reading of; 0: no limit
  int recv_mark = 1;  // messages of one peer that wait for us; 0: no limit
  int64_t message_max = kZmqMessageMax;
  int linger_ms = 0;   // how long closing may go on to deliver
  bool parts = false;  // its user takes messages of several parts
  // Handlers connect here from outside: the ZapHandler of this context is asked about each.
  bool guarded = false;
  std::string curve_secret = {};  // of the server, 40 characters; "": no CURVE
};

class ZmqSocket {
 public:
  // The loop, the context and the user outlive the socket. It does not read before
  // set_reading(true).
  static Result<std::unique_ptr<ZmqSocket>> open(Loop& loop, ZmqContext& context, ZmqKind kind,
                                                 const ZmqSocketOptions& options,
                                                 ZmqSocketUser& user);
  ~ZmqSocket();
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  // Accepts peers on a socket that listens already; the endpoint is its name in messages.
  Status adopt(const std::string& endpoint, OwnedFd listening);
  // The same, but not before listen_held() names this endpoint.
  Status hold(const std::string& endpoint, OwnedFd listening);
  Status listen_held(const std::string& endpoint);
  Status bind(const std::string& endpoint);
  Status connect(const std::string& endpoint);
  // What the peer has sent and we have not received yet is lost.
  void disconnect(const std::string& endpoint);
  void subscribe(std::string_view prefix);
  void unsubscribe(std::string_view prefix);

  // True: libzmq has taken the message, which is empty now. False: no peer or no room; the message
  // is untouched and zmq_writable will be called.
  bool send(ZmqMessage& message);
  // For REP, which always has room for its answer.
  void send_parts(std::initializer_list<std::string_view> parts);
  // A send would succeed now.
  bool writable();
  void set_reading(bool reading);
  // Lets libzmq look at what happened to this socket: new peers are attached (a SUB socket sends
  // them its subscription), lost ones let go.
  void service() { attend(events()); }
  // Handles now what would be handled in the next turn, for an order between two sockets. Not to be
  // called by this socket's own callbacks.
  void catch_up() { step(); }

  void* raw() { return socket_.handle(); }

 private:
  ZmqSocket(Loop& loop, ZmqContext& context, ZmqKind kind, ZmqSocketUser& user);
  int events();
  void attend(int ready);
  bool try_send(ZmqMessage& message);
  bool receive(ZmqMessage& message, bool& multipart);
  void receive_rest(ZmqMessage& first);
  void on_descriptor(int) { step(); }
  void step();
  void drain();
  void step_next_turn();
  void stop_stepping();
  void on_idle() {}

  // Between two turns of the loop, so that clients are served too.
  static constexpr unsigned kMessagesPerTurn = 256;

  Loop& loop_;
  ZmqSocketUser& user_;
  zmq::socket_t socket_;
  IoWatcher descriptor_;
  // While there is more to do than one turn takes: idle keeps the loop awake, check takes the turn
  // (idle itself is called only when nothing else happens, which under load is never).
  IdleWatcher idle_;
  CheckWatcher check_;
  std::shared_ptr<ZmqMessage> message_;  // the next one is received into it
  std::string held_endpoint_;
  OwnedFd held_;
  bool parts_ = false;
  bool reading_ = false;
  bool wants_to_send_ = false;
  unsigned sent_in_turn_ = 0;  // the last turn that sent
  unsigned turn_ = 0;          // the last turn that received
  unsigned received_in_turn_ = 0;
  bool* gone_ = nullptr;  // where step() learns that a callback destroyed this object
};

}  // namespace m2
