#include "worker/link/handler_link.h"

#include <utility>

#include "common/log.h"
#include "worker/link/drop_counter.h"
#include "worker/link/peer_gate.h"
#include "worker/link/private_endpoint.h"
#include "worker/link/relay_words.h"
#include "worker/link/request_queue.h"
#include "worker/link/zmq_socket.h"

namespace m2 {
namespace {

// What was passed on gets this long to leave when the link is closed: the last notices of a stop.
constexpr int kPushLingerMs = 200;
// Nobody has anything to say on the request socket; what somebody says there must not fill our
// memory.
constexpr int64_t kPushIncomingMax = 64 * 1024;

class Message final : public HandlerMessage {
 public:
  explicit Message(const std::shared_ptr<ZmqMessage>& message) : message_(message) {}
  std::string_view bytes() const override { return bytes_of(*message_); }
  std::shared_ptr<const void> hold() override { return message_; }

 private:
  const std::shared_ptr<ZmqMessage>& message_;
};

class Link final : public HandlerLink,
                   ZmqSocketUser,
                   PeerGateUser,
                   ZmqMonitorUser,
                   RequestQueueUser {
 public:
  Link(Loop& loop, HandlerLinkOptions options, HandlerLinkUser& user)
      : loop_(loop),
        options_(std::move(options)),
        behind_relay_(!options_.requests_fd.valid() && !options_.replies_fd.valid()),
        user_(user) {}

  Status start(ZmqContext& context);

  bool submit(ConnectionId id, std::string_view message) override;
  bool withdraw(ConnectionId id) override { return queue_->withdraw(id); }
  void notify(ConnectionId id, std::string_view message) override;
  void set_recv_ident(std::string_view prefix) override;
  void stop_listening() override;
  const std::string& send_spec() const override { return options_.send_spec; }
  const std::string& recv_spec() const override { return options_.recv_spec; }
  bool has_handlers() const override { return gate_ ? gate_->has_peers() : relay_open_; }
  HandlerLinkDrops drops() const override;

 private:
  Status open_sockets(ZmqContext& context);
  Status bind();

  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) override;
  void zmq_writable(ZmqSocket&) override { queue_->flush(); }
  void gate_changed() override;
  void peers_changed() override;
  bool may_pass() const override { return gate_ ? gate_->open() : relay_open_; }
  void expired(ConnectionId id, bool notice) override;
  void relay_word(std::string_view word);
  void notice_dropped(ConnectionId id, std::string_view why);

  Loop& loop_;
  HandlerLinkOptions options_;
  const bool behind_relay_;
  HandlerLinkUser& user_;
  PrivateEndpoint requests_path_;
  PrivateEndpoint replies_path_;
  std::unique_ptr<ZmqSocket> requests_;
  std::unique_ptr<ZmqSocket> replies_;
  std::unique_ptr<PeerGate> gate_;             // when handlers connect here
  std::unique_ptr<ZmqMonitor> relay_monitor_;  // when the relay does
  std::unique_ptr<RequestQueue> queue_;
  bool relay_open_ = false;  // the relay has said so, and is still there
  bool had_handlers_ = false;
  DropCounter full_;
  DropCounter late_;
  DropCounter relay_refused_;
  DropCounter notices_;
  DropCounter multipart_;
};

Status Link::start(ZmqContext& context) {
  if (options_.requests_fd.valid() != options_.replies_fd.valid()) {
    return Status::error("a listening socket was offered for only one of " + options_.send_spec +
                         " and " + options_.recv_spec);
  }
  Status status = open_sockets(context);
  if (!status.ok()) return status;
  status = bind();
  if (!status.ok()) return status;
  replies_->set_reading(true);
  return {};
}

Status Link::open_sockets(ZmqContext& context) {
  ZmqSocketOptions requests;
  requests.send_mark = static_cast<int>(options_.send_mark);
  requests.message_max = kPushIncomingMax;
  requests.linger_ms = kPushLingerMs;
  auto push = ZmqSocket::open(loop_, context, ZmqKind::kPush, requests, *this);
  if (!push.ok()) return std::move(push).status();
  requests_ = std::move(push).value();

  ZmqSocketOptions replies;
  replies.send_mark = 0;  // subscriptions: one that finds no room would be dropped
  replies.recv_mark = static_cast<int>(options_.recv_mark);
  // PUB drops what a slow reader does not take, so only handlers, who always had SUB, get one.
  const ZmqKind kind = behind_relay_ ? ZmqKind::kPull : ZmqKind::kSub;
  auto socket = ZmqSocket::open(loop_, context, kind, replies, *this);
  if (!socket.ok()) return std::move(socket).status();
  replies_ = std::move(socket).value();

  RequestQueueUser& queue_user = *this;
  queue_ = std::make_unique<RequestQueue>(loop_, *requests_, options_.queue_max, options_.wait_ms,
                                          queue_user);
  if (behind_relay_) {
    auto monitor = ZmqMonitor::open(loop_, context, *replies_, *this);
    if (!monitor.ok()) return std::move(monitor).status();
    relay_monitor_ = std::move(monitor).value();
    return {};
  }
  replies_->subscribe(options_.recv_ident);
  auto gate = PeerGate::open(loop_, context, *requests_, *replies_, *this);
  if (!gate.ok()) return std::move(gate).status();
  gate_ = std::move(gate).value();
  return {};
}

Status Link::bind() {
  if (behind_relay_) {
    auto requests = requests_path_.listen(options_.requests_endpoint);
    if (!requests.ok()) return std::move(requests).status();
    auto replies = replies_path_.listen(options_.replies_endpoint);
    if (!replies.ok()) return std::move(replies).status();
    options_.requests_fd = std::move(requests).value();
    options_.replies_fd = std::move(replies).value();
  }
  Status status = requests_->adopt(options_.requests_endpoint, std::move(options_.requests_fd));
  if (!status.ok()) return status;
  return replies_->adopt(options_.replies_endpoint, std::move(options_.replies_fd));
}

bool Link::submit(ConnectionId id, std::string_view message) {
  if (!queue_->full()) {
    ZmqMessage copy(message.data(), message.size());
    return queue_->submit(id, copy, false);
  }
  if (full_.add()) {
    log_warn("handler pair " + send_spec() + ": " + std::to_string(queue_->size()) +
             " requests wait already; request of connection " + std::to_string(id) +
             " refused (so far: " + std::to_string(full_.total()) + ")");
  }
  return false;
}

void Link::notify(ConnectionId id, std::string_view message) {
  ZmqMessage copy(message.data(), message.size());
  if (!queue_->submit(id, copy, true)) notice_dropped(id, "the queue is full");
}

void Link::set_recv_ident(std::string_view prefix) {
  if (behind_relay_ || prefix == options_.recv_ident) return;
  replies_->subscribe(prefix);
  replies_->unsubscribe(options_.recv_ident);
  options_.recv_ident = prefix;
}

void Link::stop_listening() {
  requests_path_.remove();
  replies_path_.remove();
}

HandlerLinkDrops Link::drops() const {
  return {full_.total(), late_.total(), relay_refused_.total(), notices_.total(),
          multipart_.total()};
}

void Link::zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) {
  if (multipart) {
    if (multipart_.add()) {
      log_warn("handler pair " + recv_spec() +
               ": a message of several parts was dropped, a reply is one part (dropped so far: " +
               std::to_string(multipart_.total()) + ")");
    }
    return;
  }
  if (behind_relay_ && bytes_of(*message).starts_with(kRelayPrefix)) {
    return relay_word(bytes_of(*message));
  }
  Message view(message);
  user_.handler_message(*this, view);
}

void Link::relay_word(std::string_view word) {
  if (word == kRelayOpen || word == kRelayClosed) {
    relay_open_ = word == kRelayOpen;
    if (relay_open_) queue_->flush();
    return;
  }
  const RelayRefusal refusal = read_relay_refusal(word);
  if (refusal.id == 0) return log_error("unknown word of the relay: " + std::string(word));
  relay_refused_.add();
  user_.request_refused(*this, refusal.id, refusal.why);
}

// A relay that is gone has no handlers; its successor will say when it has.
void Link::peers_changed() {
  if (relay_monitor_->peers() == 0) relay_open_ = false;
}

void Link::gate_changed() {
  if (gate_->open()) queue_->flush();
  if (gate_->has_peers() == had_handlers_) return;
  had_handlers_ = gate_->has_peers();
  log_info("handler pair " + send_spec() + (had_handlers_ ? ": handlers are" : ": no handler is") +
           " connected (" + std::to_string(gate_->request_peers()) + " for requests, " +
           std::to_string(gate_->reply_peers()) + " for replies)");
}

void Link::expired(ConnectionId id, bool notice) {
  const std::string why =
      (has_handlers() ? "all handlers busy for " : "no handler connected for ") +
      std::to_string(options_.wait_ms) + " ms";
  if (notice) return notice_dropped(id, why);
  if (late_.add()) {
    log_warn("handler pair " + send_spec() + ": " + why + ", request of connection " +
             std::to_string(id) + " refused (so far: " + std::to_string(late_.total()) + ")");
  }
  user_.request_refused(*this, id, why);
}

void Link::notice_dropped(ConnectionId id, std::string_view why) {
  if (!notices_.add()) return;
  log_warn("handler pair " + send_spec() + ": " + std::string(why) +
           ", the disconnect notice of connection " + std::to_string(id) +
           " was dropped (so far: " + std::to_string(notices_.total()) + ")");
}

}  // namespace

Result<std::unique_ptr<HandlerLink>> HandlerLink::open(Loop& loop, ZmqContext& context,
                                                       HandlerLinkOptions options,
                                                       HandlerLinkUser& user) {
  const std::string pair = options.send_spec + " with " + options.recv_spec;
  auto link = std::make_unique<Link>(loop, std::move(options), user);
  Status status = link->start(context);
  if (!status.ok()) return std::move(status).in("handler pair " + pair);
  return std::unique_ptr<HandlerLink>(std::move(link));
}

}  // namespace m2
