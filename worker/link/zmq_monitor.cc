#include "worker/link/zmq_monitor.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "common/descriptor_budget.h"
#include "common/log.h"

namespace m2 {
namespace {

constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                        ZMQ_EVENT_DISCONNECTED;

// The first frame of an event: a number and a value, not aligned.
constexpr size_t kEventBytes = sizeof(uint16_t) + sizeof(uint32_t);

bool take_out(std::vector<int>& list, int fd) {
  const auto found = std::find(list.begin(), list.end(), fd);
  if (found == list.end()) return false;
  *found = list.back();
  list.pop_back();
  return true;
}

}  // namespace

void PeerCount::handshaken() {
  ++unknown_;
  settle();
}

// When it is not certain which of several connections has ended, the one without a handshake is
// assumed: a peer too many costs nothing (there is just nobody to send to), one too few would close
// the gate.
void PeerCount::ended(int fd) {
  if (take_out(known_, fd) || !take_out(waiting_, fd)) return;
  unknown_ = std::min(unknown_, waiting_.size());
  settle();
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
  const std::string endpoint = context.new_inproc_endpoint();
  // No mark: a full monitor would stop libzmq's own thread. Events are as many as connections.
  ZmqSocketOptions options;
  options.recv_mark = 0;
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
  if (!no_room_.add()) return;
  log_error(
      "no descriptors left: a peer that connects to a 0MQ endpoint is sent away "
      "(superpoll.max_fd raises the limit; so far: " +
      std::to_string(no_room_.total()) + ")");
}

void ZmqMonitor::zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool) {
  if (message->size() != kEventBytes) return;
  uint16_t event = 0;
  uint32_t value = 0;
  std::memcpy(&event, message->data(), sizeof event);
  std::memcpy(&value, static_cast<const char*>(message->data()) + sizeof event, sizeof value);
  const int fd = static_cast<int>(value);
  if (event == ZMQ_EVENT_ACCEPTED) keep_room(fd);
  if (event == ZMQ_EVENT_ACCEPTED || event == ZMQ_EVENT_CONNECTED) count_.began(fd);
  if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) count_.handshaken();
  if (event == ZMQ_EVENT_DISCONNECTED) count_.ended(fd);
  user_.peers_changed();
}

}  // namespace m2
