// What a client may take its time for: the one deadline of a connection, and the rates below which
// it counts as too slow. Rates cost nothing while a client keeps up: time is earned by bytes, and
// looked at only when a deadline passes or a body comes in pieces.
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/log.h"
#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/target/target.h"

namespace m2 {
namespace {

constexpr uint64_t kLookAtPausedMs = 1000;

}  // namespace

void Connection::deadline_passed() {
  if (exchange_ != nullptr && exchange_->write_watched && state_ != State::kSwitched) {
    const uint64_t earned = earned_write_ms();
    if (earned == 0) return;
    return clients_.deadlines().set(*this, earned);
  }
  switch (state_) {
    case State::kProxyHeader:
      if (clients_.draining()) return close("");
      return close_without_proxy_header("nothing, or a part, within limits.head_ms");
    case State::kIdle:
      return close("");
    case State::kHead:
      if (exchange_->input.empty()) return close("");
      return refuse(408, "no complete request head within limits.head_ms");
    case State::kMessage:
      return close("no complete message within limits.head_ms");
    case State::kBody:
      if (body_paused_) return look_at_paused();
      return refuse(408,
                    "no part of the body within limits.body_ms, or below limits.min_read_rate");
    case State::kAnswering:
      return close("no answer within limits.write_ms for a client that had closed its side");
    case State::kSwitched:
      return switched_deadline_passed();
    case State::kFlushing:
    case State::kLingering:
      return close("");
    case State::kClosed:
      return;
  }
}

// A body may pause for limits.body_ms. That time is used up by each pause, and given back by each
// byte at limits.min_read_rate, so that a byte now and then does not keep a connection for ever.
void Connection::set_body_deadline(size_t bytes) {
  // We keep it from sending: it is not late, but may be gone.
  if (body_paused_) return clients_.deadlines().set(*this, kLookAtPausedMs);
  const double now = Deadlines::seconds();
  const double most = now + clients_.limits().body_ms / 1000.0;
  const double rate = clients_.limits().min_read_rate;
  double& until = exchange_->body_until;
  until =
      until == 0 || rate == 0 ? most : std::min(until + static_cast<double>(bytes) / rate, most);
  // The wheel is coarser than some pieces are apart: it would be moved on for ever.
  if (until <= now) return deadline_passed();
  clients_.deadlines().set(*this, static_cast<uint64_t>((until - now) * 1000.0));
}

// While nobody reads, nothing says that a client has left. One that has shut down its sending side
// behind a complete body stays: what is missing lies in the socket. (Of a chunked body nobody knows
// how much that is.)
void Connection::look_at_paused() {
  pollfd look{socket_.get(), POLLRDHUP, 0};
  ::poll(&look, 1, 0);
  const BodyReader& body = exchange_->body_reader;
  int here = 0;
  ::ioctl(socket_.get(), FIONREAD, &here);
  const bool incomplete = !body.chunked() && static_cast<uint64_t>(here) < body.remaining();
  if ((look.revents & (POLLHUP | POLLERR)) != 0 ||
      ((look.revents & POLLRDHUP) != 0 && incomplete)) {
    return close("the client closed within a request");
  }
  clients_.deadlines().set(*this, kLookAtPausedMs);
}

// Something is owed to the client that it does not take at once.
void Connection::output_waits() {
  watch_as_needed();
  if (exchange_->write_watched) return;
  exchange_->write_watched = true;
  exchange_->write_flushed = 0;
  exchange_->write_in_kernel = bytes_in_kernel();
  if (state_ != State::kSwitched) {
    return clients_.deadlines().set(*this, clients_.limits().write_ms);
  }
  exchange_->write_until = clients_.loop().now() + clients_.limits().write_ms / 1000.0;
  set_switched_deadline();
}

int64_t Connection::bytes_in_kernel() const {
  int count = 0;
  return ::ioctl(socket_.get(), SIOCOUTQ, &count) == 0 ? count : 0;
}

// How much longer the client may take, for what it has taken since the last look; 0: it has been
// closed. The kernel's buffer counts as not taken: it may hold megabytes, and a client that reads
// them at its own slow pace must not look as if it took nothing meanwhile.
uint64_t Connection::earned_write_ms() {
  const int64_t in_kernel = bytes_in_kernel();
  const int64_t taken = exchange_->write_flushed + exchange_->write_in_kernel - in_kernel;
  exchange_->write_flushed = 0;
  exchange_->write_in_kernel = in_kernel;
  const uint64_t most = clients_.limits().write_ms;
  const uint64_t rate = clients_.limits().min_write_rate;
  const uint64_t bytes = static_cast<uint64_t>(std::max<int64_t>(taken, 0));
  if (bytes > 0 && rate == 0) return most;
  if (bytes > 0 && bytes * 1000 / rate > 0) return std::min(bytes * 1000 / rate, most);
  cut_off(bytes == 0 ? "it took nothing for limits.write_ms"
                     : "it takes what it is owed below limits.min_write_rate");
  return 0;
}

void Connection::cut_off(std::string_view why) {
  if (clients_.notes().admits()) {
    log_info("closing " + std::string(peer_address()) + ": " + std::string(why));
  }
  close("too slow");
}

}  // namespace m2
