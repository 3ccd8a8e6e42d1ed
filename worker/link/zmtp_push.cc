#include "worker/link/zmtp_push.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/descriptor_budget.h"
#include "common/log.h"

namespace m2 {
namespace {

constexpr size_t kHandshakesMax = 64;  // at once: one more, and the oldest must go
constexpr int kAcceptsPerTurn = 16;
// So many messages of one turn leave before its end: their peer works while we read the next ones.
// One by one costs more than it brings; all at the end, and both sides wait for each other in turn.
constexpr size_t kBatch = 8;
// No descriptors left: trying again at once would only spin.
constexpr double kPauseS = 0.2;
// Peers on TCP that are gone without a word: found by the kernel (docs/relay.md).
constexpr int kKeepaliveIdleS = 10;
constexpr int kKeepaliveIntervalS = 5;
constexpr int kKeepaliveProbes = 3;
constexpr int kUnacknowledgedMs = 30'000;

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

void watch_over(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
}

std::string address_text(int fd, const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (peer.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(peer);
    ::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
    return "a peer at " + std::string(text.data()) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (peer.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(peer);
    ::inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
    return "a peer at [" + std::string(text.data()) + "]:" + std::to_string(ntohs(in.sin6_port));
  }
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.pid <= 0) return "a peer";
  return "process " + std::to_string(who.pid);
}

// One of this process, which no other socket of it has had.
PeerId new_peer_id(uint32_t place) {
  static uint32_t serial = 0;
  return ++serial << kPeerPlaceBits | place;
}

// It left before it was taken (accept(2)): the next one may be well.
bool is_of_one_peer(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

}  // namespace

ZmtpPush::ZmtpPush(Loop& loop, const PushOptions& options, PushSocketUser& user)
    : loop_(loop), options_(options), user_(user), places_(1) {}

// What the kernel takes now still leaves: the last notices of a stop.
ZmtpPush::~ZmtpPush() {
  wants_to_send_ = false;
  flush();
}

Status ZmtpPush::adopt(const std::string& endpoint, OwnedFd listening) {
  // Other processes hold this socket too and may be faster: accept must not wait then.
  const int flags = ::fcntl(listening.get(), F_GETFL);
  if (flags < 0 || ::fcntl(listening.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return Status::from_errno("0MQ endpoint " + endpoint, errno);
  }
  connections_.stop();
  listening_ = std::move(listening);
  watch();
  return {};
}

// Peers that come
// -----------------------------------------------------------------------------------------

void ZmtpPush::watch() {
  if (!listening_.valid() || !has_place()) return;
  connections_.start<&ZmtpPush::on_connection>(loop_, listening_.get(), EV_READ, this);
}

void ZmtpPush::on_connection(int) {
  for (int i = 0; i < kAcceptsPerTurn && has_place(); ++i) {
    if (!accept_one()) return;
  }
  if (!has_place()) connections_.stop();
}

bool ZmtpPush::accept_one() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  OwnedFd connection =
      within_budget(OwnedFd(::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                                      SOCK_NONBLOCK | SOCK_CLOEXEC)),
                    DescriptorUse::kHandlers);
  if (!connection.valid()) {
    if (is_of_one_peer(errno)) return true;
    if (errno != EAGAIN) pause(errno);
    return false;
  }
  if (peer.ss_family != AF_UNIX) watch_over(connection.get());
  if (handshaking_.size() >= kHandshakesMax) {
    peer_ended(*handshaking_.front(), "too many others that came later shake hands");
  }
  auto free = std::find(places_.begin() + 1, places_.end(), nullptr);
  if (free == places_.end()) free = places_.insert(free, nullptr);
  const PeerId id = new_peer_id(static_cast<uint32_t>(free - places_.begin()));
  std::string address = address_text(connection.get(), peer);
  ZmtpPeerUser& user = *this;
  *free = std::make_unique<ZmtpPeer>(loop_, std::move(connection), id, std::move(address),
                                     options_.send_mark, user);
  handshaking_.push_back(free->get());
  return true;
}

// The queue stays readable whatever we do: wait, rather than be told so again and again.
void ZmtpPush::pause(int error) {
  const bool no_descriptors = error == EMFILE || error == ENFILE;
  complain("", Status::from_errno("accept", error).message() +
                   (no_descriptors ? " (superpoll.max_fd raises the limit)" : "") +
                   ": handlers wait");
  connections_.stop();
  pause_.start<&ZmtpPush::watch>(loop_, kPauseS, 0.0, this);
}

void ZmtpPush::complain(std::string_view who, std::string_view what) {
  const uint64_t alike = complaints_.add(what);
  if (alike == 0) return;
  log_warn("handler endpoint " + options_.endpoint + ": " + std::string(who) + std::string(what) +
           " (so far for that: " + std::to_string(alike) + ")");
}

void ZmtpPush::peer_ready(ZmtpPeer& peer) {
  std::erase(handshaking_, &peer);
  // In front of whose turn it is: it has had nothing yet.
  ready_.insert(ready_.begin() + static_cast<ptrdiff_t>(next_), &peer);
  if (!connections_.active() && !pause_.active()) watch();
  user_.push_peers_changed();
  if (std::exchange(wants_to_send_, false)) user_.push_writable();
}

void ZmtpPush::peer_writable(ZmtpPeer&) {
  if (std::exchange(wants_to_send_, false)) user_.push_writable();
}

void ZmtpPush::peer_ended(ZmtpPeer& peer, std::string_view why) {
  const auto at = std::find(ready_.begin(), ready_.end(), &peer);
  const bool was_ready = at != ready_.end();
  if (!why.empty()) {
    complain(peer.address(), (was_ready ? " is let go: " : " is refused: ") + std::string(why));
  }
  // Until the end of this call: the peer is in the middle of its own.
  const std::unique_ptr<ZmtpPeer> ended = std::move(places_[place_of(peer.id())]);
  std::erase(dirty_, &peer);
  if (was_ready) {
    if (at - ready_.begin() < static_cast<ptrdiff_t>(next_)) --next_;
    ready_.erase(at);
    if (next_ >= ready_.size()) next_ = 0;
  } else {
    std::erase(handshaking_, &peer);
  }
  if (!connections_.active() && !pause_.active()) watch();
  if (!was_ready) return;
  std::vector<PushMessage> unsent = peer.take_unsent();
  wants_to_send_ = wants_to_send_ || !unsent.empty();
  user_.push_peer_gone(peer.id(), unsent);
  user_.push_peers_changed();
  // What came back is for those who have room now.
  if (choose() < ready_.size() && std::exchange(wants_to_send_, false)) user_.push_writable();
}

// Messages
// ------------------------------------------------------------------------------------------------

ZmtpPeer* ZmtpPush::find(PeerId peer) const {
  const uint32_t place = place_of(peer);
  return place < places_.size() ? places_[place].get() : nullptr;
}

// Of those with room, the first in turn of those that owe least.
size_t ZmtpPush::choose() const {
  size_t best = ready_.size();
  for (size_t i = 0; i < ready_.size(); ++i) {
    const size_t at = (next_ + i) % ready_.size();
    if (!ready_[at]->has_room()) continue;
    if (best == ready_.size() || ready_[at]->owes < ready_[best]->owes) best = at;
    if (ready_[best]->owes <= 0) break;
  }
  return best;
}

PushSocket::Sent ZmtpPush::send(ConnectionId id, QueuedKind kind, ZmqMessage& message,
                                PeerId likely) {
  ZmtpPeer* peer = is_about_client(kind) ? find(likely) : nullptr;
  if (peer == nullptr || !peer->has_room()) {
    const size_t chosen = choose();
    if (chosen == ready_.size()) {
      wants_to_send_ = true;
      return {};
    }
    peer = ready_[chosen];
    if (!is_about_client(kind)) next_ = (chosen + 1) % ready_.size();
  }
  peer->put(id, kind, message);
  if (peer->unsent() >= kBatch || !peer->has_room()) {
    peer->flush();
  } else if (!std::exchange(peer->dirty, true)) {
    dirty_.push_back(peer);
    if (end_of_turn_.active()) return {true, peer->id()};
    end_of_turn_.start<&ZmtpPush::flush>(loop_, this);
    idle_.start<&ZmtpPush::on_idle>(loop_, this);
  }
  return {true, peer->id()};
}

void ZmtpPush::flush() {
  end_of_turn_.stop();
  idle_.stop();
  bool room = false;
  for (ZmtpPeer* peer : dirty_) {
    peer->dirty = false;
    peer->flush();
    room = room || peer->has_room();
  }
  dirty_.clear();
  if (room && std::exchange(wants_to_send_, false)) user_.push_writable();
}

void ZmtpPush::owes(PeerId peer, int change) {
  ZmtpPeer* found = find(peer);
  if (found != nullptr && found->id() == peer) found->owes += change;
}

size_t ZmtpPush::unsent() const {
  size_t count = 0;
  for (const ZmtpPeer* peer : ready_) count += peer->unsent();
  return count;
}

}  // namespace m2
