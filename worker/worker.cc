#include "worker/worker.h"

#include <algorithm>
#include <utility>

#include "common/config/image.h"
#include "common/log.h"
#include "common/sealed_memory.h"

namespace m2 {

Worker::Worker(ChildStart start)
    : slot_(start.slot),
      deadlines_(loop_),
      error_log_(std::move(start.error_log)),
      access_log_(loop_, std::move(start.access_log)),
      links_(loop_, replies_, {start.run_directory, start.slot, start.incarnation}),
      backends_(loop_, deadlines_),
      uploads_(loop_, deadlines_),
      clients_(loop_, deadlines_, access_log_, first_connection_id(start.slot, start.incarnation)),
      replies_(clients_),
      handlers_leave_(
          loop_, clients_, links_,
          [this](std::string keys) { answer(MessageType::kHandlersLeft, 0, std::move(keys)); }),
      report_(clients_),
      query_endpoint_(query_endpoint(start.run_directory, start.slot, start.incarnation)),
      targets_(loop_, deadlines_, links_, backends_, uploads_),
      channel_(loop_, std::move(start.channel), *this),
      heartbeat_(loop_, channel_, [this] { return clients_.count(); }) {
  clients_.number_requests_from(first_request_id(start.slot, start.incarnation));
  replies_.set_pairs(targets_);
  backends_.set_ask([this] { answer(MessageType::kLookUp, 0); });
}

void Worker::channel_message(Message message) {
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
    case MessageType::kDrain:
      return drain(message.number);
    case MessageType::kRetire:
      return retire(message.number);
    case MessageType::kHold:
      return links_.hold(message.text);
    case MessageType::kListen:
      return links_.listen(message.text);
    case MessageType::kLeaveHandlers:
      return handlers_leave_.begin(message.number);
    case MessageType::kClients:
      return take_clients(std::move(message));
    case MessageType::kLogs:
      return take_logs(std::move(message));
    case MessageType::kAddresses:
      return take_addresses(std::move(message));
    default:
      return log_warn("the master sent a message that is not for workers");
  }
}

// Finishes what is in flight; nobody is left to tell us when to stop.
void Worker::channel_closed(const std::string& why) {
  constexpr uint64_t kOrphanMs = 30'000;
  log_error("the master is gone (" + why + "): finishing and ending");
  drain(kOrphanMs);
}

void Worker::take_offer(Message message) {
  size_t index = 0;
  std::string_view keys = message.text;
  while (!keys.empty() && index < message.descriptors.size()) {
    const std::string key(keys.substr(0, keys.find('\n')));
    keys.remove_prefix(std::min(keys.size(), key.size() + 1));
    OwnedFd& socket = message.descriptors[index++];
    if (key.starts_with("zmq ")) {
      links_.offer(key, std::move(socket));
    } else {
      offered_listeners_[key] = std::move(socket);
    }
  }
}

Status Worker::prepare(Message& message) {
  if (message.descriptors.size() != 1) return Status::error("prepare without an image");
  const auto image = SealedView::map(message.descriptors[0].get(), kImageBytesMax);
  if (!image.ok()) return Status::error("image: " + image.message());
  const auto config = read_image(image.value().bytes());
  if (!config.ok()) return Status::error("image: " + config.message());

  auto prepared = std::make_unique<Prepared>();
  targets_.begin(config.value(), static_cast<uint32_t>(message.number));
  auto generation = Generation::build(message.generation, config.value(), targets_);
  if (!generation.ok()) return std::move(generation).status();
  prepared->generation = std::move(generation).value();
  if (slot_ == 0) prepared->settings = config.value().settings.summary();
  prepared->error_log_level = config.value().server.error_log_level;
  prepared->heartbeat_ms = static_cast<uint64_t>(config.value().settings.number("heartbeat_ms"));
  prepared->listeners = make_plan(config.value()).listeners;
  for (const PlanListener& listener : prepared->listeners) {
    const std::string key = http_key(listener.spec);
    if (acceptors_.contains(key)) continue;
    const auto offer = offered_listeners_.find(key);
    if (offer == offered_listeners_.end())
      return Status::error(key + ": no descriptor was offered");
    prepared->new_listeners[key] = std::move(offer->second);
  }
  prepared_ = std::move(prepared);
  return {};
}

// The swap: between two events, so no request sees half of it.
void Worker::commit(uint64_t generation) {
  if (prepared_ == nullptr || prepared_->generation->number() != generation) {
    return log_warn("commit of a generation that was not prepared: " + std::to_string(generation));
  }
  const std::unique_ptr<Prepared> prepared = std::move(prepared_);
  offered_listeners_.clear();
  const HeldClients held = clients_.use(prepared->generation);
  links_.commit();
  open_queries();
  use_listeners(*prepared);
  log_set_level(static_cast<LogLevel>(prepared->error_log_level));
  if (!prepared->settings.empty()) log_info("settings: " + prepared->settings);
  heartbeat_.set(prepared->heartbeat_ms);
  answer(MessageType::kSwapped, generation, held.line());
}

// The control port can do without; the next generation tries again.
void Worker::open_queries() {
  if (queries_ != nullptr) return;
  auto opened = QueryPort::open(loop_, links_.context(), query_endpoint_, report_);
  if (!opened.ok()) return log_error("control port: " + opened.message());
  queries_ = std::move(opened).value();
}

void Worker::use_listeners(Prepared& prepared) {
  std::map<std::string, std::unique_ptr<Acceptor>> before = std::exchange(acceptors_, {});
  for (const PlanListener& listener : prepared.listeners) {
    const std::string key = http_key(listener.spec);
    std::unique_ptr<Acceptor>& acceptor = acceptors_[key];
    if (const auto found = before.find(key); found != before.end()) {
      acceptor = std::move(found->second);
      before.erase(found);
    } else {
      acceptor =
          std::make_unique<Acceptor>(clients_, key, std::move(prepared.new_listeners.at(key)));
    }
    acceptor->set_proxy_protocol(listener.proxy_protocol);
  }
  for (auto& [key, acceptor] : before) acceptor->finish();
}

void Worker::abort() {
  prepared_.reset();
  offered_listeners_.clear();
  links_.abort();
}

void Worker::drain(uint64_t limit_ms) {
  take_no_more(limit_ms);
  clients_.drain();
}

void Worker::retire(uint64_t limit_ms) {
  take_no_more(limit_ms);
  answer(MessageType::kRetiring, 0, clients_.retire(*this).line());
}

// To the workers that stay, through the master.
void Worker::take(std::vector<PassedOn> clients) {
  while (!clients.empty()) {
    Message message;
    message.type = MessageType::kClients;
    while (!clients.empty() && message.descriptors.size() < kMessageDescriptorsMax) {
      if (!message.descriptors.empty()) message.text += '\n';
      message.text += passed_on_line(clients.back().peer);
      message.descriptors.push_back(std::move(clients.back().socket));
      clients.pop_back();
    }
    channel_.send(std::move(message));
  }
}

void Worker::take_clients(Message message) {
  std::string_view lines = message.text;
  for (OwnedFd& socket : message.descriptors) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    const std::optional<ClientPeer> peer = passed_on_peer(socket.get(), line);
    // None: gone meanwhile, nothing to take over.
    if (peer) clients_.taken_over(std::move(socket), *peer);
  }
}

void Worker::take_no_more(uint64_t limit_ms) {
  abort();
  for (auto& [key, acceptor] : acceptors_) acceptor->finish();
  acceptors_.clear();
  drain_timer_.start<&Worker::drain_limit_passed>(loop_, static_cast<double>(limit_ms) / 1000.0,
                                                  0.0, this);
}

void Worker::drain_limit_passed() {
  log_warn("clients cut off at the end of the drain limit: " + std::to_string(clients_.count()));
  loop_.stop();
}

void Worker::take_logs(Message message) {
  if (!message.descriptors.empty()) {
    log_redirect_all(message.descriptors[0].get());
    error_log_ = std::move(message.descriptors[0]);
  }
  if (message.descriptors.size() > 1) access_log_.redirect(std::move(message.descriptors[1]));
}

// Of names; facts about the world, not a configuration, so that they need no handshake.
void Worker::take_addresses(Message message) {
  if (message.descriptors.size() != 1) return log_warn("addresses without their file");
  const auto bytes = SealedView::map(message.descriptors[0].get(), kAddressesBytesMax);
  if (!bytes.ok()) return log_warn("addresses: " + bytes.message());
  const auto found = read_addresses(bytes.value().bytes());
  if (!found.ok()) return log_warn(found.message());
  backends_.take(found.value());
}

void Worker::answer(MessageType type, uint64_t generation, std::string text) {
  if (text.size() > kMessageTextMax) text.resize(kMessageTextMax);
  Message message;
  message.type = type;
  message.generation = generation;
  message.text = std::move(text);
  channel_.send(std::move(message));
}

}  // namespace m2
