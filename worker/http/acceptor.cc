#include "worker/http/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/log.h"
#include "common/status.h"

namespace m2 {
namespace {

// A few at a time: the other workers want some, and clients that are in want to be served.
constexpr int kAcceptsPerTurn = 16;
// No accept queue is longer; who connects while it is being emptied must not keep us here.
constexpr int kQueueMax = 4096;
// No descriptors left: trying again at once would only spin.
constexpr double kPauseSeconds = 0.2;

}  // namespace

Acceptor::Acceptor(Clients& clients, std::string key, OwnedFd listener)
    : clients_(clients), key_(std::move(key)), listener_(std::move(listener)) {
  // Accepted sockets inherit it: no system call for each client.
  const int one = 1;
  ::setsockopt(listener_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  watch();
}

void Acceptor::watch() {
  watcher_.start<&Acceptor::on_ready>(clients_.loop(), listener_.get(), EV_READ, this);
}

void Acceptor::on_ready(int) {
  for (int i = 0; i < kAcceptsPerTurn && accept_one(); ++i) {
  }
}

bool Acceptor::accept_one() {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  OwnedFd socket(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.valid()) {
    if (clients_.limits().tcp_keepalive) {
      const int one = 1;
      ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    clients_.accepted(std::move(socket), peer);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    log_error(
        Status::from_errno("accept on " + key_ + " (superpoll.max_fd raises the limit)", errno)
            .message());
    watcher_.stop();
    pause_.start<&Acceptor::resume>(clients_.loop(), kPauseSeconds, 0.0, this);
    return false;
  }
  return errno == ECONNABORTED || errno == EINTR;
}

void Acceptor::resume() { watch(); }

void Acceptor::finish() {
  for (int i = 0; i < kQueueMax && accept_one(); ++i) {
  }
  pause_.stop();
  watcher_.stop();
  listener_.reset();
}

}  // namespace m2
