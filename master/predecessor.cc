#include "master/predecessor.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace m2 {
namespace {

// It answers at once, unless it hangs.
constexpr int kOfferMs = 10'000;

}  // namespace

std::unique_ptr<Predecessor> Predecessor::from_environment(int expected) {
  const char* text = std::getenv(kUpgradeVariable);
  if (text == nullptr) return nullptr;
  int fd = -1;
  std::from_chars(text, text + std::strlen(text), fd);
  ::unsetenv(kUpgradeVariable);
  int type = 0;
  ucred peer{};
  socklen_t type_size = sizeof type, peer_size = sizeof peer;
  const bool fits =
      fd == expected && ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
      type == SOCK_SEQPACKET && ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0;
  if (!fits) return nullptr;
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  std::unique_ptr<Predecessor> self(new Predecessor(OwnedFd(fd)));
  self->pid_ = peer.pid;  // who made the pair
  return self;
}

Status Predecessor::greet() {
  Message hello = upgrade_message(UpgradeWord::kHello, M2_VERSION);
  hello.generation = kUpgradeVersion;
  hello.number = static_cast<uint64_t>(::getpid());
  if (Status said = send_and_wait(fd_.get(), hello); !said.ok()) return said;
  for (;;) {
    Result<Message> next = receive_within(fd_.get(), kOfferMs);
    if (!next.ok()) return std::move(next).status().in("the server that is to be replaced");
    Message& message = next.value();
    const UpgradeWord word = upgrade_word(message);
    if (word == UpgradeWord::kRefused) return Status::error(message.text);
    if (word == UpgradeWord::kOffer) {
      verdicts_ = message.generation;
      incarnation_ = message.number;
      return {};
    }
    if (word != UpgradeWord::kSockets) continue;
    std::string_view keys = message.text;
    for (OwnedFd& socket : message.descriptors) {
      const std::string key(keys.substr(0, keys.find('\n')));
      keys.remove_prefix(std::min(keys.size(), key.size() + 1));
      sockets_.emplace_back(key, std::move(socket));
    }
  }
}

void Predecessor::refuse(const std::string& why) {
  const Message message = upgrade_message(UpgradeWord::kRefused, why);
  if (fd_.valid()) {
    const Status said = send_and_wait(fd_.get(), message);
    (void)said;  // it sees our end all the same
  } else if (channel_ != nullptr && !owner_) {
    channel_->send(upgrade_message(UpgradeWord::kRefused, why));
  }
}

void Predecessor::watch(Loop& loop, PredecessorUser& user) {
  user_ = &user;
  ChannelUser& channel_user = *this;
  channel_ = std::make_unique<Channel>(loop, std::move(fd_), channel_user);
}

// Until here we end with the launcher, which ends with the old server; from here on the end of the
// channel is what tells.
void Predecessor::serves(const std::string& text) {
  ::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  channel_->send(upgrade_message(UpgradeWord::kServes, text));
}

void Predecessor::taken() {
  taken_ = true;
  channel_->send(upgrade_message(UpgradeWord::kTaken));
}

void Predecessor::channel_message(Message message) {
  if (message.type != MessageType::kUpgrade) return;
  switch (upgrade_word(message)) {
    case UpgradeWord::kYours:
      return user_->told_to_take_over();
    case UpgradeWord::kOwner:
      if (!std::exchange(owner_, true)) user_->owns_now();
      return;
    case UpgradeWord::kClients:
      return user_->clients_handed_over(std::move(message));
    case UpgradeWord::kLeft:
      return user_->endpoints_left(message.text);
    default:
      return;
  }
}

// Between kTaken and kOwner it can only have died: the place is ours.
void Predecessor::channel_closed(const std::string&) {
  if (taken_ && !std::exchange(owner_, true)) user_->owns_now();
  user_->predecessor_gone();
}

}  // namespace m2
