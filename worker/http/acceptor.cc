#include "worker/http/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/descriptor_budget.h"
#include "common/status.h"

namespace m2 {
namespace {

// A few at a time: clients that are in want to be served (docs/architecture.md).
constexpr int kAcceptsPerTurn = 4;
// No accept queue is longer; who connects while it is being emptied must not keep us here.
constexpr int kQueueMax = 4096;
// No descriptors left: trying again at once would only spin.
constexpr double kPauseSeconds = 0.2;

// It left, or was cut off, before it was taken (accept(2)): the next one may be well.
bool is_of_one_client(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOPROTOOPT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Acceptor::Acceptor(Clients& clients, std::string key, OwnedFd listener)
    : clients_(clients),
      key_(std::move(key)),
      listener_(std::move(listener)),
      ceiling_(descriptor_ceiling(DescriptorUse::kClients)),
      faults_(clients.deadlines(), "accept", {LogLevel::kError, 1}) {
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

// A new descriptor is the lowest that is free: one below the ceiling means that there are enough.
bool Acceptor::has_descriptors() {
  if (latest_ < ceiling_) return true;
  const OwnedFd probe(::dup(listener_.get()));
  if (!probe.valid() || probe.get() >= ceiling_) return false;
  latest_ = probe.get();
  return true;
}

bool Acceptor::accept_one() {
  if (!has_descriptors()) {
    wait(EMFILE);
    return false;
  }
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  OwnedFd socket(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.valid()) {
    latest_ = socket.get();
    if (clients_.limits().tcp_keepalive) {
      const int one = 1;
      ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    clients_.accepted(std::move(socket), ClientPeer(peer, proxy_protocol_));
    return true;
  }
  if (errno == EAGAIN) return false;
  if (is_of_one_client(errno)) return true;
  wait(errno);
  return false;
}

// The queue stays readable whatever we do: wait, rather than be told so again and again.
void Acceptor::wait(int error) {
  const bool no_descriptors = error == EMFILE || error == ENFILE;
  const Status why = Status::from_errno("accept on " + key_, error);
  faults_.write(why.message() + (no_descriptors ? " (superpoll.max_fd raises the limit)" : "") +
                ": clients wait");
  watcher_.stop();
  pause_.start<&Acceptor::resume>(clients_.loop(), kPauseSeconds, 0.0, this);
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
