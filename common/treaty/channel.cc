#include "common/treaty/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/check.h"

namespace m2 {
namespace {

// What goes over the wire, once a packet, before the text: between processes of one binary.
struct Header {
  uint32_t type;
  uint32_t slot;
  uint64_t generation;
  uint64_t number;
};

constexpr size_t kControlBytes = CMSG_SPACE(kMessageDescriptorsMax * sizeof(int));
// Other watchers get their turn after this many messages.
constexpr int kMessagesPerTurn = 64;

// One sendmsg. 0, or the errno.
int send_packet(int fd, const Message& message) {
  CHECK(message.text.size() <= kMessageTextMax);
  CHECK(message.descriptors.size() <= kMessageDescriptorsMax);
  Header header{static_cast<uint32_t>(message.type), message.slot, message.generation,
                message.number};
  iovec parts[2] = {{&header, sizeof header},
                    {const_cast<char*>(message.text.data()), message.text.size()}};
  msghdr packet{};
  packet.msg_iov = parts;
  packet.msg_iovlen = 2;
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  if (const size_t count = message.descriptors.size(); count > 0) {
    packet.msg_control = control.data();
    packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* attached = CMSG_FIRSTHDR(&packet);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::array<int, kMessageDescriptorsMax> numbers;
    for (size_t i = 0; i < count; ++i) numbers[i] = message.descriptors[i].get();
    std::memcpy(CMSG_DATA(attached), numbers.data(), count * sizeof(int));
  }
  while (::sendmsg(fd, &packet, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

std::vector<OwnedFd> take_descriptors(msghdr& packet) {
  std::vector<OwnedFd> taken;
  for (cmsghdr* c = CMSG_FIRSTHDR(&packet); c != nullptr; c = CMSG_NXTHDR(&packet, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      taken.emplace_back(fd);
    }
  }
  return taken;
}

enum class Received { kMessage, kNothing, kEnd, kMalformed, kNoRoom };

constexpr char kNoRoomText[] =
    "no descriptors are left for those that a message brings (superpoll.max_fd)";

Received receive_packet(int fd, Message& message) {
  Header header;
  std::array<char, kMessageTextMax> text;
  iovec parts[2] = {{&header, sizeof header}, {text.data(), text.size()}};
  alignas(cmsghdr) std::array<char, kControlBytes> control;
  msghdr packet{};
  packet.msg_iov = parts;
  packet.msg_iovlen = 2;
  packet.msg_control = control.data();
  packet.msg_controllen = control.size();
  ssize_t size;
  // ECONNRESET is reported once, ahead of the packets that still wait, when the peer closed its end
  // without having read everything; the next call yields them.
  do {
    size = ::recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size < 0) return errno == EAGAIN ? Received::kNothing : Received::kEnd;
  if (size == 0) return Received::kEnd;
  message.descriptors = take_descriptors(packet);
  if (static_cast<size_t>(size) < sizeof header) return Received::kMalformed;
  if ((packet.msg_flags & MSG_TRUNC) != 0) return Received::kMalformed;
  // The table is full, and the rest of them is lost.
  if ((packet.msg_flags & MSG_CTRUNC) != 0) return Received::kNoRoom;
  if ((header.type < static_cast<uint32_t>(MessageType::kOffer) ||
       header.type > static_cast<uint32_t>(MessageType::kLast)) &&
      header.type != static_cast<uint32_t>(MessageType::kUpgrade)) {
    return Received::kMalformed;
  }
  message.type = static_cast<MessageType>(header.type);
  message.slot = header.slot;
  message.generation = header.generation;
  message.number = header.number;
  message.text.assign(text.data(), static_cast<size_t>(size) - sizeof header);
  return Received::kMessage;
}

}  // namespace

Channel::Channel(Loop& loop, OwnedFd fd, ChannelUser& user)
    : loop_(loop), fd_(std::move(fd)), user_(user) {
  watcher_.start<&Channel::on_ready>(loop_, fd_.get(), EV_READ, this);
}

Channel::~Channel() = default;

void Channel::send(Message message) {
  if (!fd_.valid() || !broken_.empty()) return;
  if (outbound_.size() >= kChannelQueueMax) {
    give_up("it does not read its messages");
    return;
  }
  outbound_.push_back(std::move(message));
  if (outbound_.size() == 1) flush();
}

void Channel::flush() {
  while (!outbound_.empty()) {
    const int error = send_packet(fd_.get(), outbound_.front());
    // Too many descriptors under way: the peer has to take some of them first.
    if (error == EAGAIN || error == ETOOMANYREFS) break;
    if (error != 0) {
      give_up(std::string("send: ") + std::strerror(error));
      return;
    }
    outbound_.pop_front();
  }
  watcher_.set_events(outbound_.empty() ? EV_READ : EV_READ | EV_WRITE);
}

// After the shutdown the descriptor is readable: the loop reads what still waits, then reports.
void Channel::give_up(const std::string& why) {
  broken_ = why;
  outbound_.clear();
  ::shutdown(fd_.get(), SHUT_RDWR);
  watcher_.set_events(EV_READ);
}

void Channel::on_ready(int revents) {
  if ((revents & EV_WRITE) != 0) flush();
  if ((revents & EV_READ) != 0) receive();
}

void Channel::receive() {
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    Message message;
    switch (receive_packet(fd_.get(), message)) {
      case Received::kMessage:
        user_.channel_message(std::move(message));
        break;
      case Received::kNothing:
        return;
      case Received::kEnd:
        return fail(broken_.empty() ? "closed by its peer" : broken_);
      case Received::kMalformed:
        return fail("a message that is not well formed");
      case Received::kNoRoom:
        return fail(kNoRoomText);
    }
  }
}

void Channel::fail(const std::string& why) {
  watcher_.stop();
  fd_.reset();
  outbound_.clear();
  user_.channel_closed(why);
}

Result<std::pair<OwnedFd, OwnedFd>> channel_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return Status::from_errno("create a channel", errno);
  }
  return std::pair(OwnedFd(ends[0]), OwnedFd(ends[1]));
}

Status send_and_wait(int channel, const Message& message) {
  for (;;) {
    const int error = send_packet(channel, message);
    if (error == 0) return {};
    if (error != EAGAIN) return Status::from_errno("send on a channel", error);
    pollfd writable{channel, POLLOUT, 0};
    ::poll(&writable, 1, -1);
  }
}

Result<Message> receive_within(int channel, int limit_ms) {
  for (;;) {
    Message message;
    switch (receive_packet(channel, message)) {
      case Received::kMessage:
        return message;
      case Received::kEnd:
        return Status::error("the channel was closed by its peer");
      case Received::kMalformed:
        return Status::error("a message that is not well formed");
      case Received::kNoRoom:
        return Status::error(kNoRoomText);
      case Received::kNothing:
        break;
    }
    pollfd readable{channel, POLLIN, 0};
    if (::poll(&readable, 1, limit_ms) == 0) {
      return Status::error("no message within " + std::to_string(limit_ms) + " ms");
    }
  }
}

}  // namespace m2
