// A client that is kept from sending its body: it is not late, but it may be gone, and while nobody
// reads nothing says so.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "worker/http/clients.h"
#include "worker/http/connection.h"
#include "worker/target/target.h"

namespace m2 {
namespace {

constexpr uint64_t kLookMs = 1000;
// "Expect: 100-continue" (RFC 9110, 10.1.1): a target wants the body.
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void Connection::set_body_paused(bool paused) {
  body_paused_ = paused;
  watch_as_needed();
  if (state_ != State::kBody || processing_) return;
  set_body_deadline();
  if (!paused) send_continue();
}

void Connection::send_continue() {
  if (!exchange_->head_.expect_continue) return;
  exchange_->head_.expect_continue = false;
  exchange_->send(kContinue);
}

void Connection::set_body_deadline() {
  clients_.deadlines().set(*this, body_paused_ ? kLookMs : clients_.limits().body_ms);
}

// It may have shut down its sending side behind a complete body: what is missing then lies in the
// socket. (Of a chunked body nobody knows how much that is.)
void Connection::look_at_paused() {
  pollfd look{socket_.get(), POLLRDHUP, 0};
  ::poll(&look, 1, 0);
  const bool shut = (look.revents & POLLRDHUP) != 0;
  const BodyReader& body = exchange_->body_reader;
  int here = 0;
  ::ioctl(socket_.get(), FIONREAD, &here);
  const bool incomplete = !body.chunked() && static_cast<uint64_t>(here) < body.remaining();
  if ((look.revents & (POLLHUP | POLLERR)) != 0 || (shut && incomplete)) {
    return close("the client closed within a request");
  }
  set_body_deadline();
}

}  // namespace m2
