#include "worker/relay/handler_pair.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/log_limit.h"
#include "proto/handler/cut_id.h"
#include "proto/handler/reply_parser.h"
#include "worker/link/private_endpoint.h"
#include "worker/link/relay_words.h"
#include "worker/relay/message_heads.h"

namespace m2 {
namespace {

// Of those whose handler has gone, as many are named in one word.
constexpr size_t kGonePerWord = 64 * 1024;
// What one worker may have on its way to us. Small: it is out of the worker's sight.
constexpr int kWorkerMark = 64;
// How long a worker may not know that its request was passed on: what is in doubt if we die.
constexpr double kSayConsumedS = 0.005;

RequestQueue::Limits queue_limits(const HandlerPairOptions& options) {
  return {options.queue_max, options.queue_bytes, options.wait_ms};
}

}  // namespace

Result<std::unique_ptr<HandlerPair>> HandlerPair::open(Loop& loop, ZmqContext& context,
                                                       HandlerPairOptions options, OwnedFd send_fd,
                                                       OwnedFd recv_fd) {
  std::unique_ptr<HandlerPair> self(new HandlerPair(loop, std::move(options)));
  const std::string pair = "handler pair " + self->send_spec() + " with " + self->recv_spec();
  Status status = self->open_sockets(context);
  const auto adopt = [](auto& socket, const std::string& endpoint, OwnedFd fd, bool held) {
    return held ? socket.hold(endpoint, std::move(fd)) : socket.adopt(endpoint, std::move(fd));
  };
  const HandlerPairOptions& is = self->options_;
  if (status.ok()) {
    status = adopt(*self->to_handlers_, is.send_spec, std::move(send_fd), is.send_held);
  }
  if (status.ok() && self->from_handlers_) {
    status = adopt(*self->from_handlers_, is.recv_spec, std::move(recv_fd), is.recv_held);
  }
  if (!status.ok()) return std::move(status).in(pair);
  self->pace();
  return self;
}

Status HandlerPair::open_sockets(ZmqContext& context) {
  context_ = &context;
  const auto open = [&](ZmqKind kind, const ZmqSocketOptions& options, auto& socket) -> Status {
    auto opened = ZmqSocket::open(loop_, context, kind, options, *this);
    if (!opened.ok()) return std::move(opened).status();
    socket = std::move(opened).value();
    return {};
  };
  const auto curve = [this](const std::string& spec) {
    return spec.starts_with(kTcpScheme) ? options_.curve_secret : std::string();
  };
  auto requests = PushSocket::open(loop_, context,
                                   {.endpoint = options_.send_spec,
                                    .curve_secret = curve(options_.send_spec),
                                    .send_mark = options_.send_mark,
                                    .guarded = true},
                                   *this);
  if (!requests.ok()) return std::move(requests).status();
  to_handlers_ = std::move(requests).value();
  Status status;
  const bool subscribes = options_.replies == Replies::kSub;
  if (options_.replies != Replies::kNone) {
    status = open(subscribes ? ZmqKind::kSub : ZmqKind::kPull,
                  {.send_mark = 0,
                   .recv_mark = static_cast<int>(options_.recv_mark),
                   .guarded = true,
                   .curve_secret = curve(options_.recv_spec)},
                  from_handlers_);
  }
  if (!status.ok()) return status;
  status = open(ZmqKind::kPull, {.recv_mark = kWorkerMark}, from_workers_);
  if (!status.ok()) return status;

  if (subscribes) from_handlers_->subscribe(options_.recv_ident);
  auto gate = PeerGate::open(loop_, context, *to_handlers_, from_handlers_.get(), *this);
  if (!gate.ok()) return std::move(gate).status();
  gate_ = std::move(gate).value();
  RequestQueueUser& queue_user = *this;
  queue_ = std::make_unique<RequestQueue>(loop_, *to_handlers_, queue_limits(options_), queue_user);
  return {};
}

HandlerPair::~HandlerPair() = default;

Status HandlerPair::listen_again(OwnedFd send_fd, OwnedFd recv_fd) {
  Status status = to_handlers_->adopt(options_.send_spec, std::move(send_fd));
  if (!status.ok() || !from_handlers_) return status;
  return from_handlers_->adopt(options_.recv_spec, std::move(recv_fd));
}

void HandlerPair::listen(const std::string& endpoint) {
  Status status = to_handlers_->listen_held(endpoint);
  if (status.ok() && from_handlers_) status = from_handlers_->listen_held(endpoint);
  if (!status.ok()) log_error(status.message());
}

void HandlerPair::update(const HandlerPairOptions& options) {
  if (options.recv_ident != options_.recv_ident && options_.replies == Replies::kSub) {
    from_handlers_->subscribe(options.recv_ident);
    from_handlers_->unsubscribe(options_.recv_ident);
  }
  options_.send_ident = options.send_ident;
  options_.recv_ident = options.recv_ident;
  options_.protocol = options.protocol;
  options_.targets_max = options.targets_max;
  options_.queue_max = options.queue_max;
  queue_->set_limits(queue_limits(options));
}

Status HandlerPair::add_worker(WorkerName worker, const std::string& requests_endpoint,
                               const std::string& replies_endpoint) {
  for (Hop& known : hops_) {
    if (known.hop->worker() != worker) continue;
    return known.stale ? connect_anew(known, replies_endpoint) : Status();
  }
  auto opened =
      WorkerHop::open(loop_, *context_, worker, options_.send_spec, replies_endpoint, *this);
  if (!opened.ok()) return std::move(opened).status().in("handler pair " + send_spec());
  Status status = from_workers_->connect(requests_endpoint);
  if (!status.ok()) return std::move(status).in("handler pair " + send_spec());
  Hop hop{std::move(opened).value(), requests_endpoint};
  if (has_handlers()) hop.hop->say(kRelayOpen);
  std::vector<WorkerHop*>& same_slot = by_slot_[worker.slot];
  const auto older = std::find_if(same_slot.begin(), same_slot.end(), [&](const WorkerHop* other) {
    return other->worker().incarnation < worker.incarnation;
  });
  same_slot.insert(older, hop.hop.get());
  hops_.push_back(std::move(hop));
  return {};
}

void HandlerPair::expect_workers_anew() {
  for (Hop& known : hops_) known.stale = true;
}

// Until now replies went to the old end, and what handlers know of the worker is as it was. Our
// other socket connects again by itself.
Status HandlerPair::connect_anew(Hop& known, const std::string& replies_endpoint) {
  auto opened = WorkerHop::open(loop_, *context_, known.hop->worker(), options_.send_spec,
                                replies_endpoint, *this);
  if (!opened.ok()) return std::move(opened).status().in("handler pair " + send_spec());
  std::unique_ptr<WorkerHop> hop = std::move(opened).value();
  if (has_handlers()) hop->say(kRelayOpen);
  for (const ConnectionId id : known.hop->told().take()) hop->told().insert(id);
  std::vector<WorkerHop*>& same_slot = by_slot_[hop->worker().slot];
  std::replace(same_slot.begin(), same_slot.end(), known.hop.get(), hop.get());
  known.hop = std::move(hop);
  known.stale = false;
  return {};
}

void HandlerPair::forget_workers() {
  for (const Hop& hop : hops_) from_workers_->disconnect(hop.requests_endpoint);
  for (auto& same_slot : by_slot_) same_slot.clear();
  hops_.clear();
}

size_t HandlerPair::worker_peers() const {
  return static_cast<size_t>(std::count_if(hops_.begin(), hops_.end(),
                                           [](const Hop& hop) { return hop.hop->connected(); }));
}

bool HandlerPair::settled() const {
  return std::all_of(hops_.begin(), hops_.end(),
                     [](const Hop& hop) { return hop.hop->settled() || !hop.hop->connected(); });
}

HandlerPairDrops HandlerPair::drops() const {
  return {late_.total(), invalid_.total(), notices_.total()};
}

void HandlerPair::zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message,
                              bool multipart) {
  last_message_ = loop_.now();
  if (&socket == from_workers_.get()) return request(*message);
  if (multipart) return bad_reply("a message of several parts");
  // What a subscription does where there is one.
  if (!bytes_of(*message).starts_with(options_.recv_ident)) return;
  reply(*message);
}

// Workers to handlers
// ------------------------------------------------------------------------------

void HandlerPair::request(ZmqMessage& message) {
  if (bytes_of(message).starts_with(kWorkerWord)) return worker_word(bytes_of(message));
  const RequestHeadFacts head = read_request_head(bytes_of(message));
  if (WorkerHop* hop = owner_of(head.id)) hop->received();
  if (head.disconnect && !told_ended_.insert(head.id, loop_.now())) return consumed(head.id);
  if (head.credits) {
    queue_->submit_following(head.id, message, QueuedKind::kCredits);
    return pace();
  }
  const QueuedKind kind = head.disconnect ? QueuedKind::kNotice : QueuedKind::kRequest;
  if (!queue_->submit(head.id, message, kind)) {
    consumed(head.id);
    if (head.disconnect) return notice_dropped(head.id, "the queue is full");
    refuse(head.id, "the queue of the relay is full: " + queue_->why_full());
  }
  pace();
}

void HandlerPair::passed(const Passed& message) {
  const ConnectionId id = message.id;
  WorkerHop* hop = owner_of(id);
  if (hop == nullptr) return;
  if (!message.again) consumed(id);
  if (message.kind == QueuedKind::kCredits) return;
  if (message.kind == QueuedKind::kNotice) {
    hop->told().erase(id);
  } else if (!hop->told().insert(id, message.peer) && untracked_.add()) {
    log_warn(
        "handler pair " + send_spec() + ": worker " + std::to_string(hop->worker().slot) +
        " has more connections than the relay can remember; handlers will not hear of all if it "
        "dies (so far: " +
        std::to_string(untracked_.total()) + ")");
  }
}

PeerId HandlerPair::likely_peer(ConnectionId id) const {
  WorkerHop* hop = owner_of(id);
  return hop == nullptr ? kUnknownPeer : hop->told().peer_place(id);
}

// What it never had whole waits for the next handler; whose requests it had, their workers hear.
void HandlerPair::push_peer_gone(PeerId peer, std::vector<PushMessage>& unsent) {
  for (auto message = unsent.rbegin(); message != unsent.rend(); ++message) {
    WorkerHop* hop = owner_of(message->id);
    if (hop != nullptr && !is_about_client(message->kind)) hop->told().insert(message->id);
    queue_->put_back(*message, nullptr);
  }
  if (!had_handlers_) say_put_back();
  for (Hop& each : hops_) {
    const std::vector<ConnectionId> ids = each.hop->told().known_at(place_of(peer));
    if (ids.empty()) continue;
    each.lost = true;
    each.hop->say_consumed();  // first: those are meant that were passed on by now
    for (size_t from = 0; from < ids.size(); from += kGonePerWord) {
      const size_t count = std::min(kGonePerWord, ids.size() - from);
      each.hop->say(write_relay_gone(std::span(ids).subspan(from, count)));
    }
  }
}

void HandlerPair::expired(ConnectionId id, bool notice, bool again) {
  if (!again) consumed(id);
  const std::string why =
      (has_handlers() ? "all handlers busy for " : "no handler connected for ") +
      std::to_string(queue_->wait_ms()) + " ms";
  if (notice) {
    notice_dropped(id, why);
  } else {
    // The worker forgets the request: what follows it would name a file that is removed.
    while (queue_->withdraw(id)) consumed(id);
    refuse(id, why);
  }
  pace();
}

void HandlerPair::refuse(ConnectionId id, std::string_view why) {
  if (late_.add()) {
    log_warn("handler pair " + send_spec() + ": " + std::string(why) + ", request of connection " +
             std::to_string(id) + " refused (so far: " + std::to_string(late_.total()) + ")");
  }
  if (WorkerHop* hop = owner_of(id)) hop->say(write_relay_refusal(id, why));
}

void HandlerPair::flush() {
  queue_->flush();
  feed_departed();
  pace();
}

// Handlers to workers
// ------------------------------------------------------------------------------

void HandlerPair::reply(ZmqMessage& message) {
  const Result<Reply> parsed = parse_reply(bytes_of(message), options_.targets_max);
  if (!parsed.ok()) return bad_reply(parsed.message());
  const Reply& reply = parsed.value();
  const bool ends = asks_for_the_end(reply);
  std::array<WorkerHop*, kSlotsMax> hops;
  size_t count = 0;
  std::string_view ids = reply.ids;
  for (std::string_view text = next_id(ids); !text.empty(); text = next_id(ids)) {
    const ConnectionId id = parse_connection_id(text);
    if (fits_an_int(text) && !reply.body.empty()) look_for_cut(text);
    if (id == 0) continue;
    WorkerHop* hop = owner_of(id);
    if (hop == nullptr) {
      if (!reply.body.empty() && !reply.extended) unknown_connection(id);
      continue;
    }
    // Who closes a connection need not be told that it is closed.
    if (ends) hop->told().erase(id);
    if (std::find(hops.begin(), hops.begin() + count, hop) == hops.begin() + count &&
        count < hops.size()) {
      hops[count++] = hop;
    }
  }
  // The same bytes for all: each worker takes its own ids from the list.
  for (size_t index = 0; index + 1 < count; ++index) {
    ZmqMessage shared;
    shared.copy(message);
    hops[index]->send(std::move(shared));
  }
  if (count > 0) hops[count - 1]->send(std::move(message));
  pace();
}

void HandlerPair::bad_reply(std::string_view why) {
  const uint64_t alike = invalid_.add(why);
  if (alike == 0) return;
  log_warn("Skipped invalid message from handler: " + recv_spec() + ": " + std::string(why) +
           " (so far of this kind: " + std::to_string(alike) +
           ", of all: " + std::to_string(invalid_.total()) + ")");
}

// Both
// ---------------------------------------------------------------------------------------------

// The worker that has given out this id; nullptr: one that is no more.
WorkerHop* HandlerPair::owner_of(ConnectionId id) const {
  // Of two that share a slot for a while, short ids of old connections may fit both.
  if (is_short(id) && by_slot_[slot_of(id)].size() > 1) {
    for (WorkerHop* hop : by_slot_[slot_of(id)]) {
      if (hop->told().contains(id)) return hop;
    }
  }
  for (WorkerHop* hop : by_slot_[slot_of(id)]) {
    if (hop->may_own(id)) return hop;
  }
  return nullptr;
}

void HandlerPair::consumed(ConnectionId id) {
  WorkerHop* hop = owner_of(id);
  if (hop == nullptr) return;
  hop->consumed();
  if (consumed_timer_.active()) return;
  consumed_timer_.start<&HandlerPair::say_consumed>(loop_, kSayConsumedS, 0.0, this);
}

void HandlerPair::say_consumed() {
  for (const Hop& hop : hops_) hop.hop->say_consumed();
}

// "Closed" is about all that was passed on, so what has come back is named behind it.
void HandlerPair::say_put_back() {
  const std::vector<ConnectionId> all = queue_->put_back_ids();
  if (all.empty()) return;
  for (const Hop& each : hops_) {
    std::vector<ConnectionId> ids = all;
    std::erase_if(ids, [&](ConnectionId id) { return owner_of(id) != each.hop.get(); });
    if (!ids.empty()) each.hop->say(write_relay_back(ids));
  }
}

// It may be the one whose connection broke: what it goes on with is not lost.
void HandlerPair::say_came() {
  for (Hop& each : hops_) {
    if (std::exchange(each.lost, false)) each.hop->say(kRelayCame);
  }
}

void HandlerPair::worker_word(std::string_view word) {
  const auto knows = [this](ConnectionId id) {
    if (WorkerHop* hop = owner_of(id)) hop->told().insert(id);
  };
  if (read_worker_told(word, knows)) return;
  if (const ConnectionId id = read_worker_here(word); id != 0) {
    WorkerHop* hop = owner_of(id);
    if (hop != nullptr && has_handlers()) hop->say(kRelayOpen);
    return;
  }
  const auto parted = [this](ConnectionId id) {
    if (WorkerHop* hop = owner_of(id)) hop->told().erase(id);
  };
  if (read_worker_parted(word, parted)) return;
  if (const ConnectionId id = read_worker_settled(word); id != 0) {
    if (WorkerHop* hop = owner_of(id)) hop->settle();
    return;
  }
  const WorkerWord about = read_worker_word(word);
  if (WorkerHop* hop = owner_of(about.id)) hop->introduced(about.number);
}

// Reads no more than can be passed on.
void HandlerPair::pace() {
  from_workers_->set_reading(!queue_->full());
  const bool crowded =
      std::any_of(hops_.begin(), hops_.end(), [](const Hop& hop) { return hop.hop->crowded(); });
  if (from_handlers_) from_handlers_->set_reading(!crowded);
}

void HandlerPair::gate_changed() {
  if (gate_->open()) flush();
  const size_t peers = gate_->request_peers();
  if (std::exchange(request_peers_, peers) < peers) say_came();
  if (has_handlers() == had_handlers_) return;
  had_handlers_ = has_handlers();
  if (!had_handlers_) say_consumed();  // before "closed": that is what the handlers had
  for (const Hop& hop : hops_) hop.hop->say(had_handlers_ ? kRelayOpen : kRelayClosed);
  if (!had_handlers_) say_put_back();
  static LogLimit limit("handlers that come and go");
  limit.write("handler pair " + send_spec() +
              (had_handlers_ ? ": handlers are" : ": no handler is") + " connected (" +
              std::to_string(gate_->request_peers()) + " for requests, " +
              std::to_string(gate_->reply_peers()) + " for replies)");
}

void HandlerPair::notice_dropped(ConnectionId id, std::string_view why) {
  told_ended_.erase(id);
  if (!notices_.add()) return;
  log_warn("handler pair " + send_spec() + ": " + std::string(why) +
           ", the disconnect notice of connection " + std::to_string(id) +
           " was dropped (so far: " + std::to_string(notices_.total()) + ")");
}

}  // namespace m2
