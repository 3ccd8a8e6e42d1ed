#include "worker/link/link_place.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "worker/link/relay_words.h"

namespace m2 {
namespace {

// Nothing is owed, but handlers may say something by themselves: they are let go when the reply
// socket has been silent for this long. The relay does the same, then ends its connections to us.
constexpr double kQuietS = 0.25;
// For a relay that does not.
constexpr double kRelayGraceS = 3.0;

}  // namespace

Result<std::unique_ptr<LinkPlace>> LinkPlace::open(Loop& loop, ZmqContext& context,
                                                   HandlerLinkOptions options,
                                                   LinkPlaceUser& user) {
  const bool one_sided = options.replies == Replies::kNone && !options.replies_fd.valid();
  if (!one_sided && options.requests_fd.valid() != options.replies_fd.valid()) {
    return Status::error("a listening socket was offered for only one of the two endpoints");
  }
  const bool behind_relay = !options.requests_fd.valid();
  std::unique_ptr<LinkPlace> self(new LinkPlace(loop, user));
  Status status = self->open_sockets(context, options, behind_relay);
  if (status.ok()) status = self->bind(options, behind_relay);
  if (!status.ok()) return status;
  if (self->replies_) self->replies_->set_reading(true);
  return self;
}

Status LinkPlace::open_sockets(ZmqContext& context, const HandlerLinkOptions& options,
                               bool behind_relay) {
  const auto curve = [&options](const std::string& endpoint) {
    return endpoint.starts_with(kTcpScheme) ? options.curve_secret : std::string();
  };
  auto requests = PushSocket::open(loop_, context,
                                   {.endpoint = options.requests_endpoint,
                                    .curve_secret = curve(options.requests_endpoint),
                                    .send_mark = options.send_mark,
                                    .guarded = !behind_relay},
                                   *this);
  if (!requests.ok()) return std::move(requests).status();
  requests_ = std::move(requests).value();

  // PUB drops what a slow reader does not take, so only handlers, who always had SUB, get one. No
  // mark for subscriptions: one that finds no room would be dropped.
  if (behind_relay || options.replies != Replies::kNone) {
    subscribes_ = !behind_relay && options.replies == Replies::kSub;
    auto replies = ZmqSocket::open(loop_, context, subscribes_ ? ZmqKind::kSub : ZmqKind::kPull,
                                   {.send_mark = 0,
                                    .recv_mark = static_cast<int>(options.recv_mark),
                                    .guarded = !behind_relay,
                                    .curve_secret = curve(options.replies_endpoint)},
                                   *this);
    if (!replies.ok()) return std::move(replies).status();
    replies_ = std::move(replies).value();
  }

  if (behind_relay) {
    auto monitor = ZmqMonitor::open(loop_, context, *replies_, *this);
    if (!monitor.ok()) return std::move(monitor).status();
    relay_monitor_ = std::move(monitor).value();
    return {};
  }
  recv_ident_ = options.recv_ident;
  if (subscribes_) replies_->subscribe(recv_ident_);
  auto gate = PeerGate::open(loop_, context, *requests_, replies_.get(), *this);
  if (!gate.ok()) return std::move(gate).status();
  gate_ = std::move(gate).value();
  return {};
}

Status LinkPlace::bind(HandlerLinkOptions& options, bool behind_relay) {
  if (behind_relay) {
    auto requests = requests_path_.listen(options.requests_endpoint);
    if (!requests.ok()) return std::move(requests).status();
    auto replies = replies_path_.listen(options.replies_endpoint);
    if (!replies.ok()) return std::move(replies).status();
    options.requests_fd = std::move(requests).value();
    options.replies_fd = std::move(replies).value();
  }
  const auto adopt = [](auto& socket, const std::string& endpoint, OwnedFd fd, bool held) {
    return held ? socket.hold(endpoint, std::move(fd)) : socket.adopt(endpoint, std::move(fd));
  };
  Status status = adopt(*requests_, options.requests_endpoint, std::move(options.requests_fd),
                        options.requests_held);
  if (!status.ok() || !replies_) return status;
  return adopt(*replies_, options.replies_endpoint, std::move(options.replies_fd),
               options.replies_held);
}

void LinkPlace::listen(const std::string& endpoint) {
  if (!requests_) return;  // it has left
  if (Status status = requests_->listen_held(endpoint); !status.ok()) log_error(status.message());
  if (!replies_) return;
  if (Status status = replies_->listen_held(endpoint); !status.ok()) log_error(status.message());
}

void LinkPlace::leave() {
  stop_listening();
  relay_open_ = false;
  gate_.reset();
  relay_monitor_.reset();
  requests_.reset();
  replies_.reset();
}

void LinkPlace::zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) {
  last_reply_ = loop_.now();
  // What a subscription does where there is one.
  if (!behind_relay() && !subscribes_ && !bytes_of(*message).starts_with(recv_ident_)) return;
  user_.place_message(*this, message, multipart);
}

bool LinkPlace::take_relay_word(std::string_view word) {
  if (word != kRelayOpen && word != kRelayClosed) return false;
  relay_monitor_->catch_up();  // the end of an earlier relay must not undo what this one says
  relay_open_ = word == kRelayOpen;
  user_.place_changed(*this);
  return true;
}

// A relay that is gone has no handlers; its successor will say when it has. That one may have come
// and spoken before we hear of the end.
void LinkPlace::peers_changed() {
  const size_t before = std::exchange(relays_, relay_monitor_->peers());
  if (relays_ > before) user_.relay_came(*this);
  if (relays_ >= before) return;
  const bool was_open = relay_open_;
  if (relays_ == 0) relay_open_ = false;
  user_.relay_ended(*this);
  if (was_open && !relay_open_) user_.place_changed(*this);
}

void LinkPlace::set_recv_ident(std::string_view prefix) {
  if (behind_relay() || prefix == recv_ident_) return;
  if (subscribes_) {
    replies_->subscribe(prefix);
    replies_->unsubscribe(recv_ident_);
  }
  recv_ident_ = prefix;
}

void LinkPlace::stop_listening() {
  requests_path_.remove();
  replies_path_.remove();
}

// Whole, but for new requests: a handler with only one of its connections here and the other where
// the pair is now would be of no use to either.
void LinkPlace::retire() {
  stop_listening();
  retired_at_ = loop_.now();
  relay_open_ = false;
}

void LinkPlace::settle(ConnectionId worker_id) {
  if (settled_ || !behind_relay()) return;
  ZmqMessage word(write_worker_settled(worker_id));
  settled_ = requests_->say(word);
}

bool LinkPlace::spent(bool owed, double limit_s) const {
  const double age = loop_.now() - retired_at_;
  if (relay_monitor_) return relay_monitor_->peers() == 0 || age > limit_s + kRelayGraceS;
  const double quiet = std::min(age, loop_.now() - last_reply_);
  return (!owed && quiet > kQuietS) || age > limit_s;
}

}  // namespace m2
