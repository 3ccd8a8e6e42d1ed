#include "worker/link/handler_link.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "worker/link/drop_counter.h"
#include "worker/link/link_place.h"
#include "worker/link/recent_ids.h"
#include "worker/link/relay_words.h"
#include "worker/link/request_queue.h"
#include "worker/link/room_waiter.h"

namespace m2 {
namespace {

constexpr double kLookS = 0.05;  // how often a place that was left is looked at
constexpr size_t kToldEndedMax = 64 * 1024;

class Message final : public HandlerMessage {
 public:
  explicit Message(const std::shared_ptr<ZmqMessage>& message) : message_(message) {}
  std::string_view bytes() const override { return bytes_of(*message_); }
  std::shared_ptr<const void> hold() override { return message_; }

 private:
  const std::shared_ptr<ZmqMessage>& message_;
};

class Link final : public HandlerLink, LinkPlaceUser, RequestQueueUser {
 public:
  Link(Loop& loop, const HandlerLinkOptions& options, HandlerLinkUser& user)
      : loop_(loop), user_(user), send_spec_(options.send_spec), recv_spec_(options.recv_spec) {}

  Status start(ZmqContext& context, HandlerLinkOptions options);

  bool submit(ConnectionId id, std::string_view message) override;
  bool submit_following(ConnectionId id, std::span<const std::string_view> pieces) override;
  bool has_room() const override { return !queue_->crowded(); }
  void wait_for_room(RoomWaiter& waiter) override;
  bool withdraw(ConnectionId id) override { return queue_->withdraw(id); }
  bool holds(ConnectionId id) const override { return queue_->holds(id); }
  void notify(ConnectionId id, std::string_view message) override;
  void set_recv_ident(std::string_view prefix) override { now_->set_recv_ident(prefix); }
  void set_limits(uint32_t queue_max, uint32_t wait_ms) override {
    queue_->set_limits(queue_max, wait_ms);
  }
  void stop_listening() override { now_->stop_listening(); }
  Status prepare_move(ZmqContext& context, HandlerLinkOptions options) override;
  void commit_move() override;
  void abort_move() override { next_.reset(); }
  bool behind_relay() const override { return now_->behind_relay(); }
  const std::string& send_spec() const override { return send_spec_; }
  const std::string& recv_spec() const override { return recv_spec_; }
  bool has_handlers() const override { return now_->has_handlers(); }
  HandlerLinkDrops drops() const override;

 private:
  void place_message(LinkPlace& place, std::shared_ptr<ZmqMessage>& message,
                     bool multipart) override;
  void place_changed(LinkPlace& place) override;
  bool may_pass() const override { return now_->may_pass(); }
  void expired(ConnectionId id, bool notice) override;
  void emptied() override;
  void serve_waiters();
  void relay_word(LinkPlace& place, std::string_view word);
  void look_at_left();
  void notice_dropped(ConnectionId id, std::string_view why);

  Loop& loop_;
  HandlerLinkUser& user_;
  const std::string send_spec_;
  const std::string recv_spec_;
  std::unique_ptr<LinkPlace> now_;
  std::unique_ptr<LinkPlace> next_;  // prepared by a reload
  std::unique_ptr<LinkPlace> left_;  // where late replies may still come
  TimerWatcher left_timer_;
  std::unique_ptr<RequestQueue> queue_;
  RoomWaiters waiters_;
  TimerWatcher next_turn_;
  RecentIds told_ended_{kToldEndedMax};  // notices that were sent, or that are under way
  bool had_handlers_ = false;
  DropCounter full_;
  DropCounter late_;
  DropCounter relay_refused_;
  DropCounter notices_;
  DropCounter multipart_;
};

Status Link::start(ZmqContext& context, HandlerLinkOptions options) {
  const uint32_t queue_max = options.queue_max;
  const uint32_t wait_ms = options.wait_ms;
  auto place = LinkPlace::open(loop_, context, std::move(options), *this);
  if (!place.ok()) return std::move(place).status();
  now_ = std::move(place).value();
  RequestQueueUser& queue_user = *this;
  queue_ = std::make_unique<RequestQueue>(loop_, now_->requests(), queue_max, wait_ms, queue_user);
  return {};
}

bool Link::submit(ConnectionId id, std::string_view message) {
  if (!queue_->full()) {
    ZmqMessage copy(message.data(), message.size());
    return queue_->submit(id, copy, false);
  }
  if (full_.add()) {
    log_warn("handler pair " + send_spec_ + ": " + std::to_string(queue_->size()) +
             " requests wait already; request of connection " + std::to_string(id) +
             " refused (so far: " + std::to_string(full_.total()) + ")");
  }
  return false;
}

bool Link::submit_following(ConnectionId id, std::span<const std::string_view> pieces) {
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  ZmqMessage message(size);
  char* to = message.data<char>();
  for (const std::string_view piece : pieces) to = std::copy(piece.begin(), piece.end(), to);
  return queue_->submit_following(id, message);
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
  if (!told_ended_.insert(id, loop_.now())) return;
  ZmqMessage copy(message.data(), message.size());
  if (!queue_->submit(id, copy, true)) notice_dropped(id, "the queue is full");
}

HandlerLinkDrops Link::drops() const {
  return {full_.total(), late_.total(), relay_refused_.total(), notices_.total(),
          multipart_.total()};
}

Status Link::prepare_move(ZmqContext& context, HandlerLinkOptions options) {
  auto place = LinkPlace::open(loop_, context, std::move(options), *this);
  if (!place.ok()) return std::move(place).status().in("handler pair " + send_spec_);
  next_ = std::move(place).value();
  return {};
}

// Answers that are still due find their connections wherever they come in.
void Link::commit_move() {
  if (next_ == nullptr) return;
  left_ = std::exchange(now_, std::move(next_));
  queue_->use(now_->requests());
  left_->retire();
  left_timer_.start<&Link::look_at_left>(loop_, kLookS, kLookS, this);
  place_changed(*now_);
}

void Link::look_at_left() {
  if (!left_->spent()) return;
  left_timer_.stop();
  left_.reset();
}

void Link::place_message(LinkPlace& place, std::shared_ptr<ZmqMessage>& message, bool multipart) {
  if (multipart) {
    if (multipart_.add()) {
      log_warn("handler pair " + recv_spec_ +
               ": a message of several parts was dropped, a reply is one part (dropped so far: " +
               std::to_string(multipart_.total()) + ")");
    }
    return;
  }
  if (place.behind_relay() && bytes_of(*message).starts_with(kRelayPrefix)) {
    return relay_word(place, bytes_of(*message));
  }
  Message view(message);
  user_.handler_message(*this, view);
}

void Link::relay_word(LinkPlace& place, std::string_view word) {
  if (place.take_relay_word(word)) return;
  const RelayRefusal refusal = read_relay_refusal(word);
  if (refusal.id == 0) return log_error("unknown word of the relay: " + std::string(word));
  relay_refused_.add();
  user_.request_refused(*this, refusal.id, refusal.why);
}

void Link::place_changed(LinkPlace& place) {
  if (&place != now_.get()) return;
  if (may_pass()) queue_->flush();
  if (has_handlers() == had_handlers_) return;
  had_handlers_ = has_handlers();
  const std::string text =
      "handler pair " + send_spec_ + (had_handlers_ ? ": handlers are" : ": no handler is");
  if (place.behind_relay())
    return log_debug(text + " connected to the relay");  // which says it too
  log_info(text + " connected (" + std::to_string(place.request_peers()) + " for requests, " +
           std::to_string(place.reply_peers()) + " for replies)");
}

void Link::expired(ConnectionId id, bool notice) {
  const std::string why =
      (has_handlers() ? "all handlers busy for " : "no handler connected for ") +
      std::to_string(queue_->wait_ms()) + " ms";
  if (notice) return notice_dropped(id, why);
  if (late_.add()) {
    log_warn("handler pair " + send_spec_ + ": " + why + ", request of connection " +
             std::to_string(id) + " refused (so far: " + std::to_string(late_.total()) + ")");
  }
  user_.request_refused(*this, id, why);
}

void Link::notice_dropped(ConnectionId id, std::string_view why) {
  told_ended_.erase(id);
  if (!notices_.add()) return;
  log_warn("handler pair " + send_spec_ + ": " + std::string(why) +
           ", the disconnect notice of connection " + std::to_string(id) +
           " was dropped (so far: " + std::to_string(notices_.total()) + ")");
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
