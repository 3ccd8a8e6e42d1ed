// ZMQ_FD is a hint with an edge: it becomes readable when libzmq posts to an empty mailbox, and any
// call that looks into the mailbox takes the edge away, whatever it was about. So the rule of this
// file: the descriptor is waited on only after libzmq itself said, with nothing called since, that
// there is nothing to receive (EAGAIN) or no room to send. Everything else is another step in the
// next turn.
#include "worker/link/zmq_socket.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "common/check.h"
#include "common/descriptor_budget.h"

namespace m2 {
namespace {

// Peers on TCP that are gone without a word: found by the kernel, since a ZMTP heartbeat reaches
// the application of a peer with libzmq before 4.2 as a message.
constexpr int kKeepaliveIdleS = 10;
constexpr int kKeepaliveIntervalS = 5;
constexpr int kKeepaliveProbes = 3;
constexpr int kUnacknowledgedMs = 30'000;
constexpr int kHandshakeMs = 10'000;

constexpr const char* kZapDomain = "mongrel2";

Status no_socket(const char* why) {
  return Status::error(std::string("0MQ socket: ") + why +
                       " (each needs a descriptor: see superpoll.max_fd)");
}

Status zmq_error(std::string_view what) {
  return Status::error(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

}  // namespace

ZmqSocket::ZmqSocket(Loop& loop, ZmqContext& context, ZmqKind kind, ZmqSocketUser& user)
    : loop_(loop),
      user_(user),
      socket_(context.raw(), static_cast<int>(kind)),
      message_(std::make_shared<ZmqMessage>()) {}

Result<std::unique_ptr<ZmqSocket>> ZmqSocket::open(Loop& loop, ZmqContext& context, ZmqKind kind,
                                                   const ZmqSocketOptions& options,
                                                   ZmqSocketUser& user) {
  try {
    std::unique_ptr<ZmqSocket> self(new ZmqSocket(loop, context, kind, user));
    zmq::socket_t& socket = self->socket_;
    socket.set(zmq::sockopt::sndhwm, options.send_mark);
    socket.set(zmq::sockopt::rcvhwm, options.recv_mark);
    socket.set(zmq::sockopt::maxmsgsize, options.message_max);
    socket.set(zmq::sockopt::linger, options.linger_ms);
    // Only what sends: a receiver with it loses what came last when its peer leaves (libzmq 4.3.4).
    socket.set(zmq::sockopt::immediate, kind != ZmqKind::kPull && kind != ZmqKind::kSub);
    socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::tcp_keepalive_idle, kKeepaliveIdleS);
    socket.set(zmq::sockopt::tcp_keepalive_intvl, kKeepaliveIntervalS);
    socket.set(zmq::sockopt::tcp_keepalive_cnt, kKeepaliveProbes);
    socket.set(zmq::sockopt::tcp_maxrt, kUnacknowledgedMs);
    if (options.guarded) socket.set(zmq::sockopt::zap_domain, kZapDomain);
    if (!options.curve_secret.empty()) {
      socket.set(zmq::sockopt::curve_server, true);
      socket.set(zmq::sockopt::curve_secretkey, options.curve_secret);
    }
    self->parts_ = options.parts;
    const int descriptor = socket.get(zmq::sockopt::fd);
    // A new pair must not take what the handlers of all pairs connect with.
    if (options.guarded && descriptor >= descriptor_ceiling(DescriptorUse::kWork)) {
      return no_socket(zmq_strerror(EMFILE));
    }
    self->descriptor_.start<&ZmqSocket::on_descriptor>(loop, descriptor, EV_READ, self.get());
    return self;
  } catch (const zmq::error_t& error) {
    return no_socket(error.what());
  }
}

ZmqSocket::~ZmqSocket() {
  if (gone_ != nullptr) *gone_ = true;
}

Status ZmqSocket::adopt(const std::string& endpoint, OwnedFd listening) {
  // Other processes hold this socket too and may be faster: libzmq's accept must not wait then.
  const int flags = ::fcntl(listening.get(), F_GETFL);
  if (flags < 0 || ::fcntl(listening.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return Status::from_errno("0MQ endpoint " + endpoint, errno);
  }
  constexpr int kNone = -1;
  const int fd = listening.get();
  CHECK(zmq_setsockopt(raw(), ZMQ_USE_FD, &fd, sizeof fd) == 0);
  Status status;
  if (zmq_bind(raw(), endpoint.c_str()) != 0) status = zmq_error("0MQ endpoint " + endpoint);
  CHECK(zmq_setsockopt(raw(), ZMQ_USE_FD, &kNone, sizeof kNone) == 0);
  if (status.ok()) listening.release();
  return status;
}

Status ZmqSocket::hold(const std::string& endpoint, OwnedFd listening) {
  held_endpoint_ = endpoint;
  held_ = std::move(listening);
  return {};
}

Status ZmqSocket::listen_held(const std::string& endpoint) {
  if (!held_.valid() || held_endpoint_ != endpoint) return {};
  return adopt(endpoint, std::move(held_));
}

Status ZmqSocket::bind(const std::string& endpoint) {
  if (zmq_bind(raw(), endpoint.c_str()) == 0) return {};
  return zmq_error("0MQ endpoint " + endpoint);
}

Status ZmqSocket::connect(const std::string& endpoint) {
  if (zmq_connect(raw(), endpoint.c_str()) == 0) return {};
  return zmq_error("0MQ connect to " + endpoint);
}

void ZmqSocket::disconnect(const std::string& endpoint) {
  zmq_disconnect(raw(), endpoint.c_str());
  service();
}

void ZmqSocket::subscribe(std::string_view prefix) {
  CHECK(zmq_setsockopt(raw(), ZMQ_SUBSCRIBE, prefix.data(), prefix.size()) == 0);
}

void ZmqSocket::unsubscribe(std::string_view prefix) {
  CHECK(zmq_setsockopt(raw(), ZMQ_UNSUBSCRIBE, prefix.data(), prefix.size()) == 0);
}

bool ZmqSocket::try_send(ZmqMessage& message) {
  while (zmq_msg_send(message.handle(), raw(), ZMQ_DONTWAIT) < 0) {
    CHECK(zmq_errno() == EAGAIN || zmq_errno() == EINTR || zmq_errno() == EFSM);
    if (zmq_errno() != EINTR) return false;
  }
  return true;
}

bool ZmqSocket::send(ZmqMessage& message) {
  // While it sends, libzmq looks into its mailbox once a millisecond only. Meanwhile a peer that
  // has gone would still be given messages, so it looks once a turn; and again when there seems to
  // be no room.
  if (std::exchange(sent_in_turn_, loop_.turn()) != loop_.turn()) events();
  bool sent = try_send(message);
  if (!sent && (events() & ZMQ_POLLOUT) != 0) sent = try_send(message);
  if (!sent) {
    wants_to_send_ = true;
  } else if (reading_ && gone_ == nullptr) {
    step_next_turn();  // it may have taken the edge of a message that waits
  }
  return sent;
}

void ZmqSocket::set_reading(bool reading) {
  if (reading == reading_) return;
  reading_ = reading;
  if (reading) step_next_turn();  // the edge of what waits was taken long ago
}

bool ZmqSocket::writable() {
  const int ready = events();
  attend(ready);
  return (ready & ZMQ_POLLOUT) != 0;
}

// To ask has taken the edge away, so what is ready is seen to in the next turn.
void ZmqSocket::attend(int ready) {
  if ((reading_ && (ready & ZMQ_POLLIN) != 0) || (wants_to_send_ && (ready & ZMQ_POLLOUT) != 0)) {
    step_next_turn();
  }
}

int ZmqSocket::events() {
  int ready = 0;
  size_t size = sizeof ready;
  while (zmq_getsockopt(raw(), ZMQ_EVENTS, &ready, &size) != 0) CHECK(zmq_errno() == EINTR);
  return ready;
}

bool ZmqSocket::receive(ZmqMessage& message, bool& multipart) {
  while (zmq_msg_recv(message.handle(), raw(), ZMQ_DONTWAIT) < 0) {
    CHECK(zmq_errno() == EAGAIN || zmq_errno() == EINTR || zmq_errno() == EFSM);
    if (zmq_errno() != EINTR) return false;
  }
  multipart = message.more();
  if (multipart && !parts_) {  // all its parts are here already
    ZmqMessage part;
    do {
      while (zmq_msg_recv(part.handle(), raw(), ZMQ_DONTWAIT) < 0) CHECK(zmq_errno() == EINTR);
    } while (part.more());
  }
  return true;
}

// All its parts are here already.
void ZmqSocket::receive_rest(ZmqMessage& first) {
  std::vector<ZmqMessage> parts;
  parts.push_back(std::move(first));
  while (parts.back().more()) {
    ZmqMessage part;
    while (zmq_msg_recv(part.handle(), raw(), ZMQ_DONTWAIT) < 0) CHECK(zmq_errno() == EINTR);
    parts.push_back(std::move(part));
  }
  user_.zmq_parts(*this, parts);
}

void ZmqSocket::send_parts(std::initializer_list<std::string_view> parts) {
  size_t left = parts.size();
  for (const std::string_view part : parts) {
    const int flags = ZMQ_DONTWAIT | (--left > 0 ? ZMQ_SNDMORE : 0);
    while (zmq_send(raw(), part.data(), part.size(), flags) < 0) CHECK(zmq_errno() == EINTR);
  }
}

void ZmqSocket::step() {
  bool gone = false;
  gone_ = &gone;
  if (wants_to_send_ || !reading_) events();  // whatever the descriptor was about is attended to
  if (wants_to_send_) {
    wants_to_send_ = false;
    user_.zmq_writable(*this);
    if (gone) return;
  }
  drain();
  if (gone) return;
  gone_ = nullptr;
}

void ZmqSocket::drain() {
  const bool* const gone = gone_;
  if (std::exchange(turn_, loop_.turn()) != loop_.turn()) received_in_turn_ = 0;
  for (; reading_; ++received_in_turn_) {
    if (received_in_turn_ == kMessagesPerTurn) return step_next_turn();
    bool multipart = false;
    if (!receive(*message_, multipart)) break;
    if (parts_) {
      receive_rest(*message_);
      if (*gone) return;
      message_->rebuild();
      continue;
    }
    // Out of the object for the call, so that the bytes outlive it.
    std::shared_ptr<ZmqMessage> message = std::move(message_);
    user_.zmq_message(*this, message, multipart);
    if (*gone) return;
    if (message.use_count() > 1) {
      message = std::make_shared<ZmqMessage>();  // somebody keeps that one
    } else {
      message->rebuild();  // a large one must not stay until the next comes
    }
    message_ = std::move(message);
  }
  stop_stepping();
}

void ZmqSocket::step_next_turn() {
  if (check_.active()) return;
  idle_.start<&ZmqSocket::on_idle>(loop_, this);
  check_.start<&ZmqSocket::step>(loop_, this);
}

void ZmqSocket::stop_stepping() {
  if (!check_.active()) return;
  idle_.stop();
  check_.stop();
}

}  // namespace m2
