#include "worker/link/zmq_monitor.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "common/descriptor_budget.h"
#include "common/log.h"

namespace m2 {
namespace {

constexpr int kHandshakeFailed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                        ZMQ_EVENT_DISCONNECTED | kHandshakeFailed;

// The first frame of an event: a number and a value, not aligned.
constexpr size_t kEventBytes = sizeof(uint16_t) + sizeof(uint32_t);

bool take_out(std::vector<int>& list, int fd) {
  const auto found = std::find(list.begin(), list.end(), fd);
  if (found == list.end()) return false;
  *found = list.back();
  list.pop_back();
  return true;
}

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
    return '[' + std::string(text.data()) + "]:" + std::to_string(ntohs(ip.sin6_port));
  }
  const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ':' + std::to_string(ntohs(ip.sin_port));
}

// "" when it has left already.
std::string who_is(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
  if (peer.ss_family != AF_UNIX) return "a peer at " + address_text(peer);
  ucred process{};
  size = sizeof process;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &size) != 0) return {};
  return "process " + std::to_string(process.pid) + " of uid " + std::to_string(process.uid);
}

// Why libzmq says that it did not talk to a peer.
std::string_view fault_of(int event, uint32_t value) {
  if (event != ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
    return "left, or was silent, before its handshake was over";
  }
  switch (value) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
      return "has another CURVE key of the server than curve.key_file";
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return "and this endpoint do not agree on CURVE: one of them uses it and the other does not";
    default:
      return "sent a handshake that is not as ZMTP 3 wants it";
  }
}

// libzmq says nothing when it refuses these.
constexpr std::string_view kOldPeer =
    "speaks ZMTP 1 or 2 (libzmq before 4.0 of 2013), or is no 0MQ peer; handlers need ZMTP 3";

}  // namespace

void PeerCount::handshaken() {
  ++unknown_;
  settle();
}

// When it is not certain which of several connections has ended, the one without a handshake is
// assumed: a peer too many costs nothing (there is just nobody to send to), one too few would close
// the gate.
bool PeerCount::ended(int fd) {
  if (take_out(known_, fd) || !take_out(waiting_, fd)) return false;
  unknown_ = std::min(unknown_, waiting_.size());
  settle();
  return true;
}

std::vector<int> PeerCount::connections() const {
  std::vector<int> all = known_;
  if (unknown_ != 0) all.insert(all.end(), waiting_.begin(), waiting_.end());
  return all;
}

void PeerCount::settle() {
  if (unknown_ < waiting_.size()) return;
  unknown_ -= waiting_.size();
  known_.insert(known_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
}

Result<std::unique_ptr<ZmqMonitor>> ZmqMonitor::open(Loop& loop, ZmqContext& context,
                                                     ZmqSocket& watched, ZmqMonitorUser& user) {
  std::unique_ptr<ZmqMonitor> self(new ZmqMonitor(watched, user));
  self->why_ = kOldPeer;
  const std::string endpoint = context.new_inproc_endpoint();
  // No mark: a full monitor would stop libzmq's own thread. Events are as many as connections.
  ZmqSocketOptions options;
  options.recv_mark = 0;
  options.parts = true;
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kPair, options, *self);
  if (!socket.ok()) return std::move(socket).status();
  self->socket_ = std::move(socket).value();
  if (zmq_socket_monitor(watched.raw(), endpoint.c_str(), kEvents) != 0) {
    return Status::error(std::string("0MQ socket monitor: ") + zmq_strerror(zmq_errno()));
  }
  const Status connected = self->socket_->connect(endpoint);
  if (!connected.ok()) return Status::error(connected.message());
  self->socket_->set_reading(true);
  return self;
}

ZmqMonitor::~ZmqMonitor() { zmq_socket_monitor(watched_.raw(), nullptr, 0); }

// The descriptors are libzmq's. One that it has closed meanwhile may be another's: a wrong answer
// for a moment.
size_t ZmqMonitor::unread() const {
  const std::vector<int> connections = count_.connections();
  const auto unread = std::count_if(connections.begin(), connections.end(), [](int fd) {
    int family = 0, bytes = 0;
    socklen_t size = sizeof family;
    return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX &&
           ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
  });
  return static_cast<size_t>(unread);
}

// libzmq cannot be told to stop accepting, and does not survive an accept without descriptors: the
// peer is sent away, and comes again. Numbers up there are libzmq's alone, or for a moment a
// listening socket's on its way to it.
void ZmqMonitor::keep_room(int fd) {
  if (fd < descriptor_ceiling(DescriptorUse::kHandlers)) return;
  int listens = 1;
  socklen_t size = sizeof listens;
  const int got = ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  if (got != 0 || listens != 0) return;
  ::shutdown(fd, SHUT_RDWR);
  accepted_.erase(fd);
  if (!no_room_.add()) return;
  log_error(
      "no descriptors left: a peer that connects to a 0MQ endpoint is sent away "
      "(superpoll.max_fd raises the limit; so far: " +
      std::to_string(no_room_.total()) + ")");
}

// One whose address is known is another kind than one that was too quick for us to see it.
void ZmqMonitor::refused(int fd, std::string_view endpoint) {
  const auto found = accepted_.find(fd);
  const std::string why = std::exchange(why_, std::string(kOldPeer));
  if (found == accepted_.end() || why.empty()) return;
  const std::string who = found->second.empty() ? "a peer that has left" : found->second;
  const uint64_t alike = refused_.add(found->second.empty() ? why + '?' : why);
  if (alike == 0) return;
  log_warn("handler endpoint " + std::string(endpoint) + ": " + who + ' ' + why +
           ": refused (so far for that: " + std::to_string(alike) + ")");
}

void ZmqMonitor::zmq_parts(ZmqSocket&, std::vector<ZmqMessage>& parts) {
  if (parts.size() != 2 || parts[0].size() != kEventBytes) return;
  uint16_t event = 0;
  uint32_t value = 0;
  std::memcpy(&event, parts[0].data(), sizeof event);
  std::memcpy(&value, static_cast<const char*>(parts[0].data()) + sizeof event, sizeof value);
  const int fd = static_cast<int>(value);
  if (event == ZMQ_EVENT_ACCEPTED) {
    accepted_[fd] = who_is(fd);
    keep_room(fd);
  }
  if ((event & kHandshakeFailed) != 0) why_ = fault_of(event, value);
  // The ZapHandler has named this one.
  if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) why_.clear();
  if (event == ZMQ_EVENT_ACCEPTED || event == ZMQ_EVENT_CONNECTED) count_.began(fd);
  if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) count_.handshaken();
  if (event == ZMQ_EVENT_DISCONNECTED) {
    if (count_.ended(fd)) refused(fd, bytes_of(parts[1]));
    why_ = kOldPeer;
    accepted_.erase(fd);
  }
  user_.peers_changed();
}

}  // namespace m2
