// One class: whatever can happen to a request between queue, ledger, relay and the place of the
// pair's sockets meets in it, and is told in one place.
#include "worker/link/handler_link.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/log_limit.h"
#include "worker/link/id_set.h"
#include "worker/link/in_doubt.h"
#include "worker/link/link_drops.h"
#include "worker/link/link_place.h"
#include "worker/link/parted_connections.h"
#include "worker/link/recent_ids.h"
#include "worker/link/relay_words.h"
#include "worker/link/request_queue.h"
#include "worker/link/room_waiter.h"
#include "worker/link/told_table.h"

namespace m2 {
namespace {

constexpr double kLookS = 0.05;  // how often a place that was left is looked at
constexpr size_t kToldEndedMax = 64 * 1024;
// Connections of which it is known which handler knows them: 24 MB at most.
constexpr size_t kKnownByMax = 1 << 20;
// For handlers to connect again when the relay or the pair's place is another.
constexpr double kReturnS = 10.0;
// For what a dead relay had sent to be read; its successor has no handlers so soon.
constexpr double kTornS = 0.05;
// HTTP's words for why a request gets no answer.
constexpr int kNotHandedOver = 503;
constexpr int kTooLate = 504;
constexpr int kHandlersGone = 502;

RequestQueue::Limits queue_limits(const HandlerLinkOptions& options) {
  return {options.queue_max, options.queue_bytes, options.wait_ms};
}

class Message final : public HandlerMessage {
 public:
  explicit Message(const std::shared_ptr<ZmqMessage>& message) : message_(message) {}
  std::string_view bytes() const override { return bytes_of(*message_); }
  std::shared_ptr<const void> hold() override { return message_; }

 private:
  const std::shared_ptr<ZmqMessage>& message_;
};

class Link final : public HandlerLink, LinkPlaceUser, RequestQueueUser, LedgerUser {
 public:
  Link(Loop& loop, const HandlerLinkOptions& options, HandlerLinkUser& user)
      : loop_(loop),
        user_(user),
        send_spec_(options.send_spec),
        recv_spec_(options.recv_spec),
        replies_(options.replies),
        curve_secret_(options.curve_secret),
        worker_id_(options.worker_id),
        told_(options.told),
        told_as_(options.told_as),
        drops_(send_spec_, recv_spec_),
        ledger_(loop, *this) {}

  ~Link() override {
    if (told_ != nullptr) told_->erase_pair(told_as_);
  }
  Status start(ZmqContext& context, HandlerLinkOptions options);

  bool submit(ConnectionId id, std::string_view message) override;
  void owe(Owed& owed, ConnectionId id) override;
  bool submit_following(ConnectionId id, std::span<const std::string_view> pieces) override;
  bool has_room() const override { return !queue_->crowded(); }
  void wait_for_room(RoomWaiter& waiter) override;
  bool withdraw(ConnectionId id) override { return queue_->withdraw(id); }
  bool holds(ConnectionId id) const override { return queue_->holds(id); }
  void say_credits(ConnectionId id, std::string_view message) override;
  void notify(ConnectionId id, std::string_view message) override;
  void forget(ConnectionId id) override;
  void set_recv_ident(std::string_view prefix) override { now_->set_recv_ident(prefix); }
  void set_limits(const HandlerLinkOptions& limits) override;
  Status listen_again(HandlerLinkOptions options) override {
    return now_->listen_again(std::move(options));
  }
  void stop_listening() override { now_->stop_listening(); }
  Status prepare_move(ZmqContext& context, HandlerLinkOptions options) override;
  void commit_move() override;
  void abort_move() override { next_.reset(); }
  void listen(const std::string& endpoint) override;
  void leave() override;
  size_t waiting() const override {
    return queue_->size() + (gone_ ? 0 : now_->requests().unsent());
  }
  Replies replies() const override { return replies_; }
  const std::string& curve_secret() const override { return curve_secret_; }
  bool behind_relay() const override { return now_->behind_relay(); }
  const std::string& send_spec() const override { return send_spec_; }
  const std::string& recv_spec() const override { return recv_spec_; }
  bool has_handlers() const override { return now_->has_handlers(); }
  HandlerLinkDrops drops() const override { return drops_.totals(); }

 private:
  void place_message(LinkPlace& place, std::shared_ptr<ZmqMessage>& message,
                     bool multipart) override;
  void place_changed(LinkPlace& place) override;
  void place_peer_gone(LinkPlace& place, PeerId peer, std::vector<PushMessage>& unsent) override;
  bool may_pass() const override { return now_->may_pass(); }
  void passed(const Passed& message) override;
  PeerId likely_peer(ConnectionId id) const override { return known_by_.peer_place(id); }
  void expired(ConnectionId id, bool notice, bool again) override;
  void overdue(ConnectionId id, Overdue cause) override;
  void forget(Owed& owed) override { queue_->forget(owed); }
  void relay_came(LinkPlace& place) override;
  void settled(PeerId peer) override {
    if (!gone_) now_->requests().owes(peer, -1);
  }
  void is_with(Owed& owed, PeerId peer);
  void relay_ended(LinkPlace& place) override;
  void relay_has_passed(uint64_t number);
  void tell_of_torn();
  void handlers_gone(LinkPlace& place);
  void did_they_return();
  void not_told(ConnectionId id) {
    if (told_ != nullptr) told_->erase({id, told_as_});
    known_by_.erase(id);
  }
  void emptied() override;
  void serve_waiters();
  void introduce();
  void tell_relay();
  void relay_word(LinkPlace& place, std::string_view word);
  void look_at_left();
  void notice_dropped(ConnectionId id, std::string_view why);

  Loop& loop_;
  HandlerLinkUser& user_;
  const std::string send_spec_;
  const std::string recv_spec_;
  const Replies replies_;
  const std::string curve_secret_;
  const ConnectionId worker_id_;
  ToldTable* const told_;
  const uint64_t told_as_;
  std::unique_ptr<LinkPlace> now_;
  std::unique_ptr<LinkPlace> next_;  // prepared by a reload
  std::unique_ptr<LinkPlace> left_;  // where late replies may still come
  TimerWatcher left_timer_;
  std::unique_ptr<RequestQueue> queue_;
  bool gone_ = false;                // leave() was called
  bool to_say_here_ = false;         // to the relay, which has connected
  bool to_introduce_ = false;        // to the relay, which has said "open"
  uint64_t sent_ = 0;                // messages that the request socket has taken
  PeerId last_peer_ = kUnknownPeer;  // who got the last of them
  IdSet known_by_{kKnownByMax};      // who got the last one of each connection
  uint64_t relay_passed_ = 0;        // of these, the relay has passed on so many
  InDoubt in_doubt_;                 // of the others, those that no ledger knows
  uint64_t left_last_ = 0;           // of those sent, the last that went to the place that was left
  double handlers_s_ = 0;            // how long handlers may stay there
  PartedConnections parted_{loop_, now_};
  uint64_t torn_until_ = 0;
  std::vector<ConnectionId> torn_;
  TimerWatcher torn_timer_;
  TimerWatcher return_;  // runs while handlers are expected to connect again by themselves
  RoomWaiters waiters_;
  TimerWatcher next_turn_;
  RecentIds told_ended_{kToldEndedMax};  // notices that were sent, or that are under way
  bool had_handlers_ = false;
  size_t request_peers_ = 0;  // of our own handlers, as last seen
  LinkDrops drops_;
  Ledger ledger_;
};

Status Link::start(ZmqContext& context, HandlerLinkOptions options) {
  const RequestQueue::Limits limits = queue_limits(options);
  ledger_.set_limits(options.timeout_ms, options.grace_ms);
  handlers_s_ = options.handlers_ms / 1000.0;
  auto place = LinkPlace::open(loop_, context, std::move(options), *this);
  if (!place.ok()) return std::move(place).status();
  now_ = std::move(place).value();
  RequestQueueUser& queue_user = *this;
  queue_ = std::make_unique<RequestQueue>(loop_, now_->requests(), limits, queue_user);
  return {};
}

void Link::set_limits(const HandlerLinkOptions& limits) {
  queue_->set_limits(queue_limits(limits));
  ledger_.set_limits(limits.timeout_ms, limits.grace_ms);
  handlers_s_ = limits.handlers_ms / 1000.0;
}

void Link::listen(const std::string& endpoint) {
  now_->listen(endpoint);
  if (next_ != nullptr) next_->listen(endpoint);
}

void Link::leave() {
  gone_ = true;
  parted_.stop();
  left_timer_.stop();
  return_.stop();
  left_.reset();
  next_.reset();
  now_->leave();
}

bool Link::submit(ConnectionId id, std::string_view message) {
  if (gone_) return false;
  if (!queue_->full()) {
    ZmqMessage copy(message.data(), message.size());
    return queue_->submit(id, copy, QueuedKind::kRequest);
  }
  drops_.queue_full(id, queue_->why_full());
  return false;
}

void Link::owe(Owed& owed, ConnectionId id) {
  const bool waits = queue_->owe(owed, id);
  if (!waits) in_doubt_.is_owed(sent_);
  ledger_.add(owed, id, waits ? 0 : sent_);
  if (!waits) is_with(owed, last_peer_);
}

void Link::is_with(Owed& owed, PeerId peer) {
  owed.is_with(peer);
  now_->requests().owes(peer, 1);
}

bool Link::submit_following(ConnectionId id, std::span<const std::string_view> pieces) {
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  ZmqMessage message(size);
  char* to = message.data<char>();
  for (const std::string_view piece : pieces) to = std::copy(piece.begin(), piece.end(), to);
  return queue_->submit_following(id, message);
}

void Link::say_credits(ConnectionId id, std::string_view message) {
  ZmqMessage copy(message.data(), message.size());
  queue_->submit_following(id, copy, QueuedKind::kCredits);
}

void Link::wait_for_room(RoomWaiter& waiter) {
  waiters_.add(waiter);
  if (queue_->size() == 0) emptied();
}

// Not at once: whoever emptied the queue may be in the middle of something.
void Link::emptied() {
  if (waiters_.empty() || next_turn_.active()) return;
  next_turn_.start<&Link::serve_waiters>(loop_, 0.0, 0.0, this);
}

// May destroy the link.
void Link::serve_waiters() {
  waiters_.serve([this] { return has_room(); });
}

void Link::notify(ConnectionId id, std::string_view message) {
  if (gone_ || !told_ended_.insert(id, loop_.now())) return;
  ZmqMessage copy(message.data(), message.size());
  if (!queue_->submit(id, copy, QueuedKind::kNotice)) notice_dropped(id, "the queue is full");
}

void Link::forget(ConnectionId id) {
  not_told(id);
  if (!gone_) parted_.add(id);
}

Status Link::prepare_move(ZmqContext& context, HandlerLinkOptions options) {
  auto place = LinkPlace::open(loop_, context, std::move(options), *this);
  if (!place.ok()) return std::move(place).status().in("handler pair " + send_spec_);
  next_ = std::move(place).value();
  return {};
}

// Answers that are still due find their connections wherever they come in. Until handlers are let
// go there, what is new waits here.
void Link::commit_move() {
  if (next_ == nullptr) return;
  left_ = std::exchange(now_, std::move(next_));
  queue_->use(now_->requests());
  left_->retire();
  left_last_ = sent_;
  relay_has_passed(sent_);  // whoever had them before answers, if anybody does
  return_.start<&Link::did_they_return>(loop_, kReturnS + handlers_s_, 0.0, this);
  left_timer_.start<&Link::look_at_left>(loop_, kLookS, kLookS, this);
  place_changed(*now_);
}

void Link::look_at_left() {
  const bool owed = ledger_.owes(left_last_);
  if (!owed) left_->settle(worker_id_);
  if (!left_->spent(owed, handlers_s_)) return;
  left_timer_.stop();
  left_.reset();
}

void Link::place_message(LinkPlace& place, std::shared_ptr<ZmqMessage>& message, bool multipart) {
  if (multipart) return drops_.multipart();
  if (place.behind_relay() && bytes_of(*message).starts_with(kRelayPrefix)) {
    return relay_word(place, bytes_of(*message));
  }
  Message view(message);
  user_.handler_message(*this, view);
}

// Its connection may be that of an earlier link of this pair, and it has said "open" to that one.
void Link::relay_came(LinkPlace& place) {
  if (&place != now_.get() || worker_id_ == 0) return;
  to_say_here_ = true;
  introduce();
}

// As soon as the relay can hear us: it may have said "open" before its other socket was connected.
// Requests that leave before are counted by the number that we say then.
void Link::introduce() {
  if (!now_->behind_relay()) return;
  if (to_say_here_) {
    ZmqMessage here(write_worker_here(worker_id_));
    to_say_here_ = !now_->requests().say(here);
  }
  if (!to_introduce_) return;
  ZmqMessage about_us(write_worker_word(worker_id_, sent_));
  to_introduce_ = !now_->requests().say(about_us);
  if (!to_introduce_) tell_relay();
}

// Whom handlers know through an earlier relay, or from the time of one worker: the relay tells them
// should we die. What still waits here it learns of when it passes.
void Link::tell_relay() {
  std::vector<ConnectionId> ids = user_.told(*this);
  std::erase_if(ids, [this](ConnectionId id) { return queue_->holds(id); });
  if (ids.empty()) return;
  ZmqMessage told(write_worker_told(ids));
  if (now_->requests().say(told)) return;
  log_warn("handler pair " + send_spec_ + ": the relay is not told of " +
           std::to_string(ids.size()) + " connections that handlers know");
}

void Link::relay_word(LinkPlace& place, std::string_view word) {
  if (const auto number = read_relay_passed(word)) {
    if (&place == now_.get()) relay_has_passed(std::min(*number, sent_));
    return;
  }
  if (word == kRelayOpen && &place == now_.get()) to_introduce_ = worker_id_ != 0;
  if (place.take_relay_word(word)) return;
  std::vector<ConnectionId> ids;
  const auto add = [&ids](ConnectionId id) { ids.push_back(id); };
  if (read_relay_gone(word, add)) {
    if (&place == now_.get()) ledger_.gone(std::move(ids), relay_passed_);
    return;
  }
  if (word == kRelayCame) return &place == now_.get() ? ledger_.returned() : void();
  if (read_relay_back(word, add)) return ledger_.not_gone(std::move(ids));
  const RelayRefusal refusal = read_relay_refusal(word);
  if (refusal.id == 0) return log_error("unknown word of the relay: " + std::string(word));
  drops_.relay_refused();
  user_.request_refused(*this, refusal.id, refusal.why, kNotHandedOver);
}

void Link::place_changed(LinkPlace& place) {
  if (&place != now_.get()) return;
  introduce();
  if (may_pass()) queue_->flush();
  const size_t peers = place.behind_relay() ? 0 : place.request_peers();
  if (std::exchange(request_peers_, peers) < peers) ledger_.returned();
  if (has_handlers() == had_handlers_) return;
  had_handlers_ = has_handlers();
  if (had_handlers_) {
    return_.stop();
    ledger_.returned();
  } else {
    handlers_gone(place);
  }
  const std::string text =
      "handler pair " + send_spec_ + (had_handlers_ ? ": handlers are" : ": no handler is");
  if (place.behind_relay())
    return log_debug(text + " connected to the relay");  // which says it too
  static LogLimit limit("handlers that come and go");
  limit.write(text + " connected (" + std::to_string(place.request_peers()) + " for requests, " +
              std::to_string(place.reply_peers()) + " for replies)");
}

void Link::expired(ConnectionId id, bool notice, bool) {
  const std::string why =
      (has_handlers() ? "all handlers busy for " : "no handler connected for ") +
      std::to_string(queue_->wait_ms()) + " ms";
  if (notice) return notice_dropped(id, why);
  drops_.late(id, why);
  user_.request_refused(*this, id, why, kNotHandedOver);
}

void Link::passed(const Passed& message) {
  ++sent_;
  last_peer_ = message.peer;
  const bool is_of_client = !is_about_client(message.kind);
  if (message.kind == QueuedKind::kNotice) {
    not_told(message.id);
  } else if (is_of_client && !now_->behind_relay()) {
    if (told_ != nullptr) told_->insert({message.id, told_as_});
    if (message.peer != kUnknownPeer) known_by_.insert(message.id, message.peer);
  }
  if (message.owed != nullptr) {
    message.owed->handed_over(sent_);
    is_with(*message.owed, message.peer);
  } else if (is_of_client && now_->behind_relay()) {
    in_doubt_.add(sent_, message.id);
  }
}

// What it never had whole is nobody's yet: the next handler gets it. What else it owes may still
// come, from a handler that comes back or by an answer on its way.
void Link::place_peer_gone(LinkPlace&, PeerId peer, std::vector<PushMessage>& unsent) {
  for (auto message = unsent.rbegin(); message != unsent.rend(); ++message) {
    queue_->put_back(*message, ledger_.take_back(message->id, peer));
  }
  ledger_.peer_gone(peer);
}

void Link::relay_has_passed(uint64_t number) {
  relay_passed_ = number;
  in_doubt_.passed(number);
}

// What it had not passed on is lost, and parts of answers may be. Those that it had sent us are
// read first.
void Link::relay_ended(LinkPlace& place) {
  if (&place != now_.get()) return;
  ledger_.gone(relay_passed_ + 1, sent_);
  in_doubt_.move_to(torn_);
  torn_until_ = sent_;
  torn_timer_.start<&Link::tell_of_torn>(loop_, kTornS, 0.0, this);
}

// May destroy the link.
void Link::tell_of_torn() { ledger_.torn(torn_until_, std::exchange(torn_, {})); }

// What handlers of our own were given is theirs to answer within the grace time, and nobody else
// can. A relay that has gone took along only what it had not passed on; handlers come back from
// there, and from a place that the pair has left, and still have what they had.
void Link::handlers_gone(LinkPlace& place) {
  if (return_.active()) return;
  if (!place.behind_relay()) {
    ledger_.gone(1, sent_);
  } else if (place.relay_is_there()) {
    ledger_.gone(1, relay_passed_);
  } else {
    return_.start<&Link::did_they_return>(loop_, kReturnS, 0.0, this);
  }
}

void Link::did_they_return() {
  if (!has_handlers()) ledger_.gone(1, sent_);
}

void Link::overdue(ConnectionId id, Overdue cause) {
  if (cause == Overdue::kLate) {
    const std::string_view why = "no answer within handler.timeout, or its timeout_ms";
    queue_->withdraw(id);
    drops_.timeout(id, why);
    return user_.request_refused(*this, id, why, kTooLate);
  }
  const std::string_view why = cause == Overdue::kTorn
                                   ? "the relay died, and a part of it may be lost"
                                   : "all handlers that may have had it are gone";
  drops_.gone(id, why);
  user_.request_refused(*this, id, why, kHandlersGone);
}

void Link::notice_dropped(ConnectionId id, std::string_view why) {
  told_ended_.erase(id);
  not_told(id);
  drops_.notice(id, why);
}

}  // namespace

Result<std::unique_ptr<HandlerLink>> HandlerLink::open(Loop& loop, ZmqContext& context,
                                                       HandlerLinkOptions options,
                                                       HandlerLinkUser& user) {
  const std::string pair = options.send_spec + " with " + options.recv_spec;
  auto link = std::make_unique<Link>(loop, options, user);
  Status status = link->start(context, std::move(options));
  if (!status.ok()) return std::move(status).in("handler pair " + pair);
  return std::unique_ptr<HandlerLink>(std::move(link));
}

}  // namespace m2
