// The life of one connection to a backend. In the steady state a request costs one send, one recv
// and no epoll_ctl: the watcher for reading runs from the connect to the close, idle or not.
#include "worker/target/backend_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/descriptor_budget.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "worker/target/backend_pool.h"

namespace m2 {
namespace {

using Cause = BackendEnd::Cause;

constexpr size_t kPiecesMax = 4;
constexpr size_t kKeptBytes = 16 * 1024;  // memory that an unused connection may keep

void say_next(const std::string& why) {
  static LogLimit limit("addresses that do not answer");
  limit.write(why + "; trying the next address");
}

}  // namespace

bool BackendConnection::open(BackendUser& user, BackendEnd& end) {
  user_ = &user;
  reused_ = received_ = answer_due_ = reading_paused_ = finish_due_ = false;
  addresses_ = pool_.addresses();
  address_ = pool_.preferred_address();
  tries_left_ = static_cast<uint32_t>(addresses_->size());
  if (connect_next(end)) return true;
  close();
  return false;
}

// Begins with address_ and goes round.
bool BackendConnection::connect_next(BackendEnd& end) {
  CHECK(tries_left_ > 0);
  for (;;) {
    const BackendAddress& to = address();
    --tries_left_;
    socket_ =
        within_budget(OwnedFd(::socket(to.socket_address.ss_family,
                                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)),
                      DescriptorUse::kWork);
    if (!socket_.valid()) {
      end = {.cause = Cause::kExhausted,
             .why = to.name + ": no socket: " + std::strerror(errno) +
                    " (superpoll.max_fd raises the limit)"};
      return false;
    }
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto* where = reinterpret_cast<const sockaddr*>(&to.socket_address);
    if (::connect(socket_.get(), where, to.length) == 0 || errno == EINPROGRESS) break;
    end = {.cause = Cause::kUnreachable, .why = to.name + ": " + std::strerror(errno)};
    pool_.ask_for_addresses();
    if (tries_left_ == 0) return false;
    say_next(end.why);
    next_address();
  }
  state_ = State::kConnecting;
  io_.start<&BackendConnection::on_io>(pool_.loop(), socket_.get(), EV_WRITE, this);
  pool_.deadlines().set(*this, pool_.limits().connect_ms);
  return true;
}

void BackendConnection::connect_failed(Cause cause, std::string_view what) {
  io_.stop();
  BackendEnd failed{.cause = cause, .why = name() + ": " + std::string(what)};
  pool_.ask_for_addresses();
  if (tries_left_ != 0) {
    say_next(failed.why);
    next_address();
    if (connect_next(failed)) return;
  }
  failed.unsent = std::move(unsent_);
  unsent_.clear();
  BackendUser* user = user_;
  close();
  user->backend_ended(failed);
}

void BackendConnection::next_address() {
  address_ = (address_ + 1) % static_cast<uint32_t>(addresses_->size());
}

void BackendConnection::connected() {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return connect_failed(Cause::kUnreachable, std::strerror(error));
  state_ = State::kInUse;
  pool_.prefer_address(addresses_, address_);
  if (unsent() > 0) return flush();
  watch();
  set_deadline();
}

void BackendConnection::reuse(BackendUser& user) {
  user_ = &user;
  state_ = State::kInUse;
  reused_ = true;
  received_ = answer_due_ = finish_due_ = false;
}

void BackendConnection::on_io(int revents) {
  if (state_ == State::kConnecting) return connected();
  if ((revents & EV_WRITE) != 0) flush();
  if ((revents & EV_READ) != 0) read();
}

// The last thing that on_io does: the user may have given the connection away, or destroyed it.
void BackendConnection::read() {
  const std::span<char> buffer = pool_.read_buffer();
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // Nobody asked: the backend has closed, or it speaks out of turn.
  if (state_ == State::kIdle) return close();
  if (count < 0) return end(Cause::kFailed, std::strerror(errno));
  if (count == 0) return end(Cause::kClosed, "closed");
  received_ = true;
  set_deadline();
  user_->backend_received({buffer.data(), static_cast<size_t>(count)});
}

void BackendConnection::send(std::span<const std::string_view> pieces) {
  CHECK(pieces.size() <= kPiecesMax);
  const bool at_once = state_ == State::kInUse && unsent_.empty();
  size_t sent = at_once ? send_now(pieces) : 0;
  unsent_.erase(0, unsent_from_);
  unsent_from_ = 0;
  for (const std::string_view piece : pieces) {
    const size_t here = std::min(sent, piece.size());
    sent -= here;
    unsent_.append(piece.substr(here));
  }
  if (unsent_.empty() || state_ == State::kConnecting) return;
  watch();
  set_deadline();
}

// How many bytes the backend took; all of them when it takes none any more, since nobody cares.
size_t BackendConnection::send_now(std::span<const std::string_view> pieces) {
  size_t total = 0;
  ssize_t sent;
  if (pieces.size() == 1) {
    total = pieces[0].size();
    sent = ::send(socket_.get(), pieces[0].data(), total, MSG_NOSIGNAL);
  } else {
    std::array<iovec, kPiecesMax> vector;
    msghdr message{};
    message.msg_iov = vector.data();
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      vector[message.msg_iovlen++] = {const_cast<char*>(piece.data()), piece.size()};
      total += piece.size();
    }
    if (total == 0) return 0;
    sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  }
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return 0;
  send_failed();
  return total;
}

// What the backend said before it closed can still be read; its end follows as an event.
void BackendConnection::send_failed() {
  ::shutdown(socket_.get(), SHUT_RDWR);
  unsent_.clear();
  unsent_from_ = 0;
}

void BackendConnection::flush() {
  const std::string_view rest = std::string_view(unsent_).substr(unsent_from_);
  if (rest.empty()) return watch();
  unsent_from_ += send_now({&rest, 1});
  if (unsent_from_ < unsent_.size()) {
    watch();
    return set_deadline();
  }
  unsent_.clear();
  unsent_from_ = 0;
  if (finish_due_) ::shutdown(socket_.get(), SHUT_WR);
  watch();
  set_deadline();
  user_->backend_drained();
}

void BackendConnection::finish_sending() {
  finish_due_ = true;
  if (state_ == State::kInUse && unsent() == 0) ::shutdown(socket_.get(), SHUT_WR);
}

void BackendConnection::watch() {
  io_.set_events((reading_paused_ ? 0 : EV_READ) | (unsent() > 0 ? EV_WRITE : 0));
}

void BackendConnection::expect_answer() {
  answer_due_ = true;
  set_deadline();
}

void BackendConnection::pause_reading(bool paused) {
  if (paused == reading_paused_) return;
  reading_paused_ = paused;
  if (state_ != State::kInUse) return;
  watch();
  set_deadline();
}

bool BackendConnection::owes() const {
  return (answer_due_ && !reading_paused_) || !unsent_.empty();
}

// A deadline of earlier that is not needed any more stays; it finds that nothing is owed.
void BackendConnection::set_deadline() {
  if (state_ != State::kInUse || !owes()) return;
  const uint32_t most = pool_.limits().answer_ms;
  first_wait_ = !reused_ && !received_ && most > BackendPool::kLongWaitMs;
  pool_.deadlines().set(*this, first_wait_ ? BackendPool::kLongWaitMs : most);
}

void BackendConnection::deadline_passed() {
  switch (state_) {
    case State::kConnecting:
      return connect_failed(
          Cause::kNoConnect,
          "no connection within " + std::to_string(pool_.limits().connect_ms) + " ms");
    case State::kInUse:
      if (!owes()) return;
      if (std::exchange(first_wait_, false)) {
        pool_.note_long_wait();
        return pool_.deadlines().set(*this, pool_.limits().answer_ms - BackendPool::kLongWaitMs);
      }
      return end(Cause::kSilent, "silent for " + std::to_string(pool_.limits().answer_ms) + " ms");
    case State::kIdle:
      return close();
    case State::kClosed:
      return;
  }
}

bool BackendConnection::looks_alive() const {
  char byte;
  const ssize_t count = ::recv(socket_.get(), &byte, 1, MSG_PEEK);
  return count < 0 && errno == EAGAIN;
}

void BackendConnection::release(bool healthy) {
  const bool at_rest = state_ == State::kInUse && unsent_.empty() && !reading_paused_;
  if (!healthy || !at_rest || !pool_.has_room() || !pool_.knows(address())) return close();
  user_ = nullptr;
  state_ = State::kIdle;
  pool_.deadlines().set(*this, pool_.limits().idle_ms);
  pool_.link_idle(*this);
}

void BackendConnection::close() {
  if (state_ == State::kIdle) pool_.unlink_idle(*this);
  io_.stop();
  socket_.reset();
  pool_.deadlines().clear(*this);
  unsent_.clear();
  if (unsent_.capacity() > kKeptBytes) unsent_.shrink_to_fit();
  unsent_from_ = 0;
  user_ = nullptr;
  state_ = State::kClosed;
  pool_.recycle(*this);
}

void BackendConnection::end(Cause cause, std::string_view what) {
  BackendUser* user = user_;
  const BackendEnd end{.cause = cause,
                       .reused = reused_,
                       .received = received_,
                       .why = name() + ": " + std::string(what)};
  close();
  user->backend_ended(end);
}

}  // namespace m2
