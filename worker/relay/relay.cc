// One class: which pairs, workers and control port there are at any moment follows from the
// messages of the master, and is decided in one place.
#include "worker/relay/relay.h"

#include <algorithm>
#include <utility>

#include "common/config/image.h"
#include "common/log.h"
#include "common/sealed_memory.h"
#include "common/treaty/plan.h"

namespace m2 {
namespace {

constexpr double kLookAroundS = 0.05;
// Without a master nobody tells us when the workers are done.
constexpr double kOrphanS = 30.0;
// A moved pair whose handlers owe nothing lets them go when nothing has passed for this long.
constexpr double kMovedQuietS = 0.25;
// How often a pair may come back while the answers are due that kept it from going.
constexpr unsigned kReturnsMax = 16;
// Workers let go of a removed pair within their drain limit; this is for those that never do.
constexpr double kRemovedS = 600.0;
// Beyond the limit of the workers, for their last notices.
constexpr double kLeaveGraceS = 0.6;

bool same_specs(const HandlerPair& pair, const HandlerPairOptions& row) {
  return pair.send_spec() == row.send_spec && pair.recv_spec() == row.recv_spec;
}

// Rows that share both specs are one pair, described by the first of them.
std::vector<HandlerPairOptions> distinct_pairs(const Config& config) {
  const auto number = [&config](std::string_view key) {
    return static_cast<uint32_t>(config.settings.number(key));
  };
  std::vector<HandlerPairOptions> rows;
  for (const HandlerRow& handler : config.handlers) {
    const bool known = std::any_of(rows.begin(), rows.end(), [&](const HandlerPairOptions& row) {
      return row.send_spec == handler.send_spec && row.recv_spec == handler.recv_spec;
    });
    if (known) continue;
    rows.push_back({.send_spec = handler.send_spec,
                    .recv_spec = handler.recv_spec,
                    .send_ident = handler.send_ident,
                    .recv_ident = handler.recv_ident,
                    .replies = handler.replies,
                    .curve_secret = config.curve.secret,
                    .protocol = handler.protocol,
                    .targets_max = number("limits.handler_targets"),
                    .send_mark = number("handler.send_mark"),
                    .recv_mark = number("handler.recv_mark"),
                    .queue_max = number("handler.queue"),
                    .queue_bytes = number("handler.queue_bytes"),
                    .wait_ms = number("handler.wait_ms")});
  }
  return rows;
}

ControlInfo info_of(const ServerRow& server) {
  return {server.port,       server.bind_addr, server.uuid,     server.chroot,
          server.access_log, server.error_log, server.pid_file, server.default_host};
}

}  // namespace

Relay::Relay(ChildStart start)
    : error_log_(std::move(start.error_log)),
      run_directory_(std::move(start.run_directory)),
      channel_(loop_, std::move(start.channel), *this),
      heartbeat_(loop_, channel_, [] { return uint64_t{0}; }) {}

Relay::~Relay() = default;

void Relay::channel_message(Message message) {
  const WorkerName worker{message.slot, message.number};
  switch (message.type) {
    case MessageType::kOffer:
      return take_offer(std::move(message));
    case MessageType::kPrepare: {
      const Status status = prepare(message);
      if (status.ok()) return answer(MessageType::kReady, message.generation);
      abort();
      return answer(MessageType::kFailed, message.generation, status.message());
    }
    case MessageType::kCommit:
      return commit(message.generation);
    case MessageType::kAbort:
      return abort();
    case MessageType::kWorkerUp:
      return worker_up(worker);
    case MessageType::kWorkerDown:
      return worker_down(worker);
    case MessageType::kDrain:
      return drain(message.number);
    case MessageType::kHold:
      return for_each_key(message.text, [this](std::string_view key) { held_.emplace(key); });
    case MessageType::kListen:
      return listen(message.text);
    case MessageType::kLeaveHandlers:
      return leave_handlers(message.number);
    case MessageType::kLogs:
      if (message.descriptors.empty()) return;
      log_redirect_all(message.descriptors[0].get());
      error_log_ = std::move(message.descriptors[0]);
      return;
    default:
      return log_warn("the master sent a message that is not for the relay");
  }
}

// Workers without a master finish what they have, and may need the relay for it.
void Relay::channel_closed(const std::string& why) {
  log_error("the master is gone (" + why + "): relaying until the workers have ended");
  orphaned_ = true;
  abort();
  drain(static_cast<uint64_t>(kOrphanS * 1000));
}

// Generations
// ----------------------------------------------------------------------------------------

void Relay::take_offer(Message message) {
  std::string_view keys = message.text;
  for (OwnedFd& descriptor : message.descriptors) {
    const std::string key(keys.substr(0, keys.find('\n')));
    keys.remove_prefix(std::min(keys.size(), key.size() + 1));
    offers_[key] = std::move(descriptor);
  }
}

Status Relay::prepare(Message& message) {
  next_.reset();
  returning_.clear();
  if (message.descriptors.size() != 1) return Status::error("prepare without an image");
  const auto image = SealedView::map(message.descriptors[0].get(), kImageBytesMax);
  if (!image.ok()) return Status::error("image: " + image.message());
  const auto config = read_image(image.value().bytes());
  if (!config.ok()) return Status::error("image: " + config.message());
  if (!context_) {
    context_ = std::make_unique<ZmqContext>(
        static_cast<int>(config.value().settings.number("zeromq.threads")));
  }

  if (Status guarded = guard(config.value().curve); !guarded.ok()) return guarded;
  auto next = std::make_unique<Generation>();
  next->curve = config.value().curve;
  next->number = message.generation;
  next->log_level = static_cast<LogLevel>(config.value().server.error_log_level);
  next->heartbeat_ms = static_cast<uint64_t>(config.value().settings.number("heartbeat_ms"));
  next->handlers_s = config.value().settings.number("upgrade.handlers_ms") / 1000.0;
  next->rows = distinct_pairs(config.value());
  next->relays = message.number > 1;
  if (next->relays) {
    for (const HandlerPairOptions& row : next->rows) {
      auto pair = pair_for(row);
      if (!pair.ok()) return std::move(pair).status();
      next->pairs.push_back(std::move(pair).value());
    }
  }
  auto control = control_for(config.value().server.control_port, config.value().curve.secret);
  if (!control.ok()) return std::move(control).status();
  next->control = std::move(control).value();
  next->info = info_of(config.value().server);
  offers_.clear();
  next_ = std::move(next);
  return {};
}

// Handlers of both generations may come while the new one is prepared.
Status Relay::guard(const CurveKeys& curve) {
  if (!zap_) {
    auto opened = ZapHandler::open(loop_, *context_);
    if (!opened.ok()) return std::move(opened).status().in("authentication of handlers");
    zap_ = std::move(opened).value();
  }
  std::vector<std::string> both = curve.clients;
  if (current_) {
    const std::vector<std::string>& before = current_->curve.clients;
    both.insert(both.end(), before.begin(), before.end());
  }
  zap_->allow(std::move(both));
  return {};
}

// One that is there already, even on its way out, or a new one that is connected to all workers:
// those which do not know the pair yet will listen before the generation is committed.
Result<std::shared_ptr<HandlerPair>> Relay::pair_for(const HandlerPairOptions& row) {
  if (current_) {
    for (const auto& pair : current_->pairs) {
      if (same_specs(*pair, row)) return pair;
    }
  }
  // One that all workers have left only delivers its last notices, and must not meet new ends.
  OwnedFd send_fd = offered(zmq_key(row.send_spec));
  OwnedFd recv_fd = offered(zmq_key(row.recv_spec));
  for (const Retired& retired : retired_) {
    if (!same_specs(*retired.pair, row)) continue;
    if (retired.pair->worker_peers() != 0) {
      if (retired.pair->replies() != row.replies) {
        return Status::error("handler pair " + row.send_spec +
                             ": replies cannot change while answers are due; reload again when "
                             "they are out");
      }
      if (retired.moved) return retired.pair;  // it has never left its endpoints
      return take_up(retired.pair, std::move(send_fd), std::move(recv_fd));
    }
    retired.pair->forget_workers();
  }
  for (const auto& [spec, fd] : {std::pair(&row.send_spec, &send_fd), {&row.recv_spec, &recv_fd}}) {
    if (spec == &row.recv_spec && row.replies == Replies::kNone) continue;
    if (!fd->valid()) return Status::error("handler endpoint " + *spec + ": no socket was offered");
  }
  HandlerPairOptions options = row;
  options.send_held = held_.contains(zmq_key(row.send_spec));
  options.recv_held = held_.contains(zmq_key(row.recv_spec));
  auto opened = HandlerPair::open(loop_, *context_, std::move(options), std::move(send_fd),
                                  std::move(recv_fd));
  if (!opened.ok()) return std::move(opened).status();
  std::shared_ptr<HandlerPair> pair = std::move(opened).value();
  for (const WorkerName& worker : workers_) {
    Status status = connect(*pair, worker);
    if (!status.ok()) return status;
  }
  return pair;
}

// Its handlers are still connected to the pair that has answers due: that one goes on.
Result<std::shared_ptr<HandlerPair>> Relay::take_up(const std::shared_ptr<HandlerPair>& pair,
                                                    OwnedFd send_fd, OwnedFd recv_fd) {
  if (pair->returns == kReturnsMax) {
    return Status::error("handler pair " + pair->send_spec() + ": it was removed and came back " +
                         std::to_string(kReturnsMax) +
                         " times while answers were due; reload again when they are out, or end "
                         "its handlers");
  }
  returning_.push_back({pair, std::move(send_fd), std::move(recv_fd)});
  return pair;
}

Result<std::shared_ptr<ControlPort>> Relay::control_for(const std::string& endpoint,
                                                        const std::string& curve_secret) {
  if (endpoint.empty()) return std::shared_ptr<ControlPort>();
  if (current_ && current_->control && current_->control->endpoint() == endpoint) {
    return current_->control;
  }
  OwnedFd listening = offered(control_key(endpoint));
  if (!listening.valid()) return std::shared_ptr<ControlPort>();  // the master has said why
  auto opened =
      ControlPort::open(loop_, *context_, endpoint, std::move(listening), curve_secret, *this);
  if (!opened.ok()) return std::move(opened).status();
  return std::shared_ptr<ControlPort>(std::move(opened).value());
}

OwnedFd Relay::offered(const std::string& key) {
  const auto found = offers_.find(key);
  return found == offers_.end() ? OwnedFd() : std::move(found->second);
}

void Relay::commit(uint64_t generation) {
  if (next_ == nullptr || next_->number != generation) {
    return log_warn("commit of a generation that was not prepared: " + std::to_string(generation));
  }
  const std::unique_ptr<Generation> before = std::exchange(current_, std::move(next_));
  for (size_t index = 0; index < current_->pairs.size(); ++index) {
    current_->pairs[index]->update(current_->rows[index]);
  }
  for (Returning& back : std::exchange(returning_, {})) {
    ++back.pair->returns;
    Status listens = back.pair->listen_again(std::move(back.send_fd), std::move(back.recv_fd));
    if (!listens.ok()) log_error(std::move(listens).in("handler pair").message());
  }
  if (before) retire_others(before->pairs);
  std::erase_if(retired_, [this](const Retired& retired) {
    const bool back = std::count(current_->pairs.begin(), current_->pairs.end(), retired.pair) != 0;
    if (back && retired.moved) retired.pair->expect_workers_anew();
    return back;
  });
  zap_->allow(current_->curve.clients);
  log_set_level(current_->log_level);
  heartbeat_.set(current_->heartbeat_ms);
  answer(MessageType::kSwapped, generation);
}

void Relay::retire_others(const std::vector<std::shared_ptr<HandlerPair>>& before) {
  for (const auto& pair : before) {
    if (std::count(current_->pairs.begin(), current_->pairs.end(), pair) != 0) continue;
    const bool moved =
        std::any_of(current_->rows.begin(), current_->rows.end(),
                    [&pair](const HandlerPairOptions& row) { return same_specs(*pair, row); });
    retired_.push_back({pair, loop_.now(), 0, moved});
  }
  if (!retired_.empty() && !look_around_.active()) {
    look_around_.start<&Relay::look_around>(loop_, kLookAroundS, kLookAroundS, this);
  }
}

void Relay::abort() {
  if (zap_ && current_) zap_->allow(current_->curve.clients);
  next_.reset();
  returning_.clear();
  offers_.clear();
}

// Workers
// --------------------------------------------------------------------------------------------

Status Relay::connect(HandlerPair& pair, WorkerName worker) {
  const auto endpoint = [&](PrivateSide side) {
    return private_endpoint(run_directory_, worker.slot, worker.incarnation, pair.send_spec(),
                            pair.recv_spec(), side);
  };
  return pair.add_worker(worker, endpoint(PrivateSide::kRequests), endpoint(PrivateSide::kReplies));
}

void Relay::worker_up(WorkerName worker) {
  if (worker.slot >= kSlotsMax) return log_error("no such slot: " + std::to_string(worker.slot));
  if (std::count(workers_.begin(), workers_.end(), worker) == 0) workers_.push_back(worker);
  if (context_) {
    const Status asked = queries_.add(
        *context_, worker, query_endpoint(run_directory_, worker.slot, worker.incarnation));
    if (!asked.ok()) log_error("control port: " + asked.message());
  }
  for (HandlerPair* pair : all_pairs()) {
    const Status status = connect(*pair, worker);
    if (!status.ok()) {
      log_error("worker " + std::to_string(worker.slot) + " has no handlers: " + status.message());
    }
  }
}

void Relay::worker_down(WorkerName worker) {
  std::erase(workers_, worker);
  queries_.remove(worker);
  for (HandlerPair* pair : all_pairs()) pair->remove_worker(worker);
  for (const Retired& retired : retired_) retired.pair->remove_worker(worker);
}

// Those that requests may come for, now or after the next commit.
std::vector<HandlerPair*> Relay::all_pairs() const {
  std::vector<HandlerPair*> pairs;
  for (const Generation* generation : {current_.get(), next_.get()}) {
    if (generation == nullptr) continue;
    for (const auto& pair : generation->pairs) pairs.push_back(pair.get());
  }
  return pairs;
}

// The end
// --------------------------------------------------------------------------------------------

// The master drains the relay when the workers have ended: what still waits is for handlers.
void Relay::drain(uint64_t limit_ms) {
  ends_at_ = loop_.now() + static_cast<double>(limit_ms) / 1000.0;
  look_around_.start<&Relay::look_around>(loop_, 0.0, kLookAroundS, this);
}

// An upgrade: the server that we replace has left these endpoints.
void Relay::listen(const std::string& keys) {
  for_each_key(keys, [this](std::string_view key) {
    held_.erase(std::string(key));
    const std::string endpoint(key.substr(key.find(' ') + 1));
    for (HandlerPair* pair : all_pairs()) pair->listen(endpoint);
  });
}

// An upgrade: the relay of another server waits for our handlers. Workers leave a pair when nothing
// is owed by it; then it goes.
void Relay::leave_handlers(uint64_t limit_ms) {
  abort();
  leaves_at_ = loop_.now() + static_cast<double>(limit_ms) / 1000.0 + kLeaveGraceS;
  if (current_ == nullptr) return;
  current_->control.reset();
  for (auto& pair : std::exchange(current_->pairs, {})) {
    retired_.push_back({std::move(pair), loop_.now(), 0, false});
  }
  look_around_.start<&Relay::look_around>(loop_, 0.0, kLookAroundS, this);
}

void Relay::look_around() {
  std::vector<std::shared_ptr<HandlerPair>> left;
  std::erase_if(retired_, [this, &left](Retired& retired) {
    if (!finished(retired)) return false;
    left.push_back(std::move(retired.pair));
    return true;
  });
  for (std::shared_ptr<HandlerPair>& pair : left) {
    if (leaves_at_ == 0) break;
    log_info("handler pair " + pair->send_spec() + ": its handlers are let go");
    std::string keys = zmq_key(pair->send_spec()) + "\n" + zmq_key(pair->recv_spec());
    pair.reset();  // first, so that nobody listens there any more
    answer(MessageType::kHandlersLeft, 0, std::move(keys));
  }
  if (ends_at_ != 0) {
    if (may_end() || loop_.now() >= ends_at_) loop_.stop();
  } else if (retired_.empty()) {
    look_around_.stop();
  }
}

bool Relay::finished(Retired& retired) const {
  if (leaves_at_ != 0 && loop_.now() > leaves_at_) return true;
  const double age = loop_.now() - retired.since;
  if (!retired.moved) {
    // The last notices of a worker may come behind the word that it has gone.
    if (retired.pair->worker_peers() != 0) retired.deserted = 0;
    if (retired.pair->worker_peers() == 0 && retired.deserted == 0) retired.deserted = loop_.now();
    const bool deserted = retired.deserted != 0 && loop_.now() - retired.deserted > kMovedQuietS;
    return (deserted && retired.pair->waiting() == 0) || age > kRemovedS;
  }
  const double quiet = std::min(age, loop_.now() - retired.pair->last_message());
  const bool done = retired.pair->settled() && retired.pair->waiting() == 0;
  return (done && quiet > kMovedQuietS) || age > current_->handlers_s;
}

bool Relay::may_end() const {
  const std::vector<HandlerPair*> pairs = all_pairs();
  return std::all_of(pairs.begin(), pairs.end(), [this](const HandlerPair* pair) {
    return pair->waiting() == 0 && (!orphaned_ || pair->worker_peers() == 0);
  });
}

void Relay::answer(MessageType type, uint64_t generation, std::string text) {
  if (text.size() > kMessageTextMax) text.resize(kMessageTextMax);
  Message message;
  message.type = type;
  message.generation = generation;
  message.text = std::move(text);
  channel_.send(std::move(message));
}

}  // namespace m2
