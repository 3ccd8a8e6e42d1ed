#include "worker/link/zmtp_peer.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/zmtp/command.h"
#include "proto/zmtp/greeting.h"

namespace m2 {
namespace {

constexpr double kHandshakeS = 10.0;
// Nobody has anything to say on this socket; what somebody says there must not fill our memory.
constexpr uint64_t kIncomingMax = 64 * 1024;
constexpr size_t kReadBytes = 4096;
constexpr size_t kPiecesMax = 256;  // of one system call

}  // namespace

ZmtpPeer::ZmtpPeer(Loop& loop, OwnedFd connection, PeerId id, std::string address,
                   uint32_t send_mark, ZmtpPeerUser& user)
    : loop_(loop),
      connection_(std::move(connection)),
      id_(id),
      address_(std::move(address)),
      send_mark_(send_mark),
      user_(user) {
  watcher_.start<&ZmtpPeer::on_event>(loop_, connection_.get(), EV_READ, this);
  deadline_.start<&ZmtpPeer::on_deadline>(loop_, kHandshakeS, 0.0, this);
  write_now(zmtp_greeting());
}

void ZmtpPeer::on_deadline() { user_.peer_ended(*this, "its handshake takes too long"); }

void ZmtpPeer::on_event(int events) {
  if ((events & EV_READ) != 0 && !read()) return;
  if ((events & EV_WRITE) == 0) return;
  flush();
  if (has_room()) user_.peer_writable(*this);
}

// False: it has ended.
bool ZmtpPeer::read() {
  char bytes[kReadBytes];
  const ssize_t count = ::recv(connection_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (count <= 0) {
    user_.peer_ended(*this, "");
    return false;
  }
  input_.append(bytes, static_cast<size_t>(count));
  const State before = state_;
  const std::string_view why = take_input();
  if (!why.empty()) {
    user_.peer_ended(*this, why);
    return false;
  }
  if (before != State::kReady && ready()) user_.peer_ready(*this);
  return true;
}

// Returns what is wrong with it.
std::string_view ZmtpPeer::take_input() {
  std::string_view left = input_;
  if (state_ == State::kGreeting) {
    const ZmtpGreeting greeting = read_zmtp_greeting(left);
    if (greeting.state == ZmtpGreeting::State::kRefused) return greeting.why;
    if (greeting.state == ZmtpGreeting::State::kIncomplete) return {};
    left.remove_prefix(kZmtpGreetingBytes);
    state_ = State::kHandshake;
    write_now(zmtp_command_frame(zmtp_ready("PUSH")));
  }
  while (!left.empty()) {
    const ZmtpFrame frame = read_zmtp_frame(left, kIncomingMax);
    if (frame.state == ZmtpFrame::State::kBad) return frame.why;
    if (frame.state == ZmtpFrame::State::kIncomplete) break;
    if (!frame.command && !ready()) return "a message before its handshake";
    if (frame.command) {
      if (const std::string_view why = take_command(frame.body); !why.empty()) return why;
    }
    left.remove_prefix(frame.bytes);
  }
  input_.erase(0, input_.size() - left.size());
  return {};
}

std::string_view ZmtpPeer::take_command(std::string_view body) {
  const ZmtpCommand command = read_zmtp_command(body);
  if (command.name.empty()) return "a command without a name";
  if (command.name == "ERROR") return "it refuses us";
  if (ready()) {
    if (command.name == "PING") {
      const ZmtpPing ping = read_zmtp_ping(command.data);
      if (!ping.valid) return "a PING that is not well formed";
      answer_ping(ping.context);
    }
    return {};
  }
  if (command.name != "READY") return "another command than READY";
  const ZmtpReady about = read_zmtp_ready(command.data);
  if (!about.valid) return "a READY that is not well formed";
  if (about.socket_type != "PULL") {
    constexpr std::string_view kWhy = "its socket is no PULL (are the two endpoints swapped?)";
    write_now(zmtp_command_frame(zmtp_error("the socket has to be PULL")));
    return kWhy;
  }
  state_ = State::kReady;
  deadline_.stop();
  return {};
}

// Between two messages, and never more than one that waits: who asks faster than it reads gets one
// answer.
void ZmtpPeer::answer_ping(std::string_view context) {
  const size_t begun = offset_ > 0 ? 1 : 0;
  if (waiting_.size() > begun && waiting_[begun].command) {
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(begun));
  }
  const std::string frame = zmtp_command_frame(zmtp_pong(context));
  Frame pong{{}, 0, true, {}};
  pong.message.bytes = ZmqMessage(frame.data(), frame.size());
  waiting_.insert(waiting_.begin() + static_cast<ptrdiff_t>(begun), std::move(pong));
  flush();
}

void ZmtpPeer::put(ConnectionId id, QueuedKind kind, ZmqMessage& message) {
  Frame frame{{}, 0, false, {id, kind, std::move(message)}};
  frame.head_bytes = write_zmtp_message_head(frame.message.bytes.size(), frame.head.data());
  waiting_.push_back(std::move(frame));
}

void ZmtpPeer::flush() {
  while (!broken_ && !waiting_.empty()) {
    std::array<iovec, kPiecesMax> pieces;
    size_t count = 0, skip = offset_;
    const auto add = [&](void* bytes, size_t size) {
      const size_t skipped = std::min(skip, size);
      skip -= skipped;
      if (size > skipped) pieces[count++] = {static_cast<char*>(bytes) + skipped, size - skipped};
    };
    for (size_t i = 0; i < waiting_.size() && count + 2 <= pieces.size(); ++i) {
      Frame& frame = waiting_[i];
      add(frame.head.data(), frame.head_bytes);
      add(frame.message.bytes.data(), frame.message.bytes.size());
    }
    msghdr whole{};
    whole.msg_iov = pieces.data();
    whole.msg_iovlen = count;
    const ssize_t left = ::sendmsg(connection_.get(), &whole, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (left < 0 && errno == EINTR) continue;
    if (left < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
      return watcher_.set_events(EV_READ | EV_WRITE);
    }
    if (left < 0) return failed();
    sent(static_cast<size_t>(left));
  }
  watcher_.set_events(EV_READ);
}

void ZmtpPeer::sent(size_t bytes) {
  offset_ += bytes;
  auto whole = waiting_.begin();
  for (; whole != waiting_.end(); ++whole) {
    const size_t size = whole->head_bytes + whole->message.bytes.size();
    if (offset_ < size) break;
    offset_ -= size;
  }
  waiting_.erase(waiting_.begin(), whole);
}

// A part of the handshake, for which a new connection always has room.
void ZmtpPeer::write_now(std::string_view bytes) {
  const ssize_t left =
      ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (left != static_cast<ssize_t>(bytes.size())) failed();
}

// Whoever sends must not find the peer gone in the middle of it: its end is read in a later turn.
void ZmtpPeer::failed() {
  broken_ = true;
  ::shutdown(connection_.get(), SHUT_RDWR);
}

std::vector<PushMessage> ZmtpPeer::take_unsent() {
  std::vector<PushMessage> unsent;
  for (Frame& frame : waiting_) {
    if (!frame.command) unsent.push_back(std::move(frame.message));
  }
  waiting_.clear();
  offset_ = 0;
  return unsent;
}

}  // namespace m2
