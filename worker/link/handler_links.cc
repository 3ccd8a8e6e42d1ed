#include "worker/link/handler_links.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/log.h"
#include "common/treaty/plan.h"
#include "worker/link/private_endpoint.h"

namespace m2 {
namespace {

// Each time costs two descriptors until the answers that were due when it was removed are out.
constexpr unsigned kReturnsMax = 16;

bool on_tcp(const HandlerRow& row) {
  return row.send_spec.starts_with(kTcpScheme) || row.recv_spec.starts_with(kTcpScheme);
}

// The same in every worker of this program (FNV-1a).
uint64_t tag_of(std::string_view key) {
  uint64_t tag = 0xCBF29CE484222325;
  for (const char c : key) tag = (tag ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return tag;
}

}  // namespace

HandlerLinks::HandlerLinks(Loop& loop, HandlerLinkUser& user, Place place, const OwnedFd& told)
    : loop_(loop), user_(user), place_(std::move(place)), told_(told), left_(told_.take()) {}

HandlerLinks::~HandlerLinks() = default;

void HandlerLinks::offer(const std::string& key, OwnedFd socket) {
  offers_[key] = std::move(socket);
}

void HandlerLinks::hold(std::string_view keys) {
  for_each_key(keys, [this](std::string_view key) { held_.emplace(key); });
}

void HandlerLinks::listen(std::string_view keys) {
  for_each_key(keys, [this](std::string_view key) {
    held_.erase(std::string(key));
    const std::string endpoint(key.substr(key.find(' ') + 1));
    for (const auto& [name, entry] : entries_) {
      if (const auto link = entry.link.lock()) link->listen(endpoint);
    }
  });
}

std::vector<std::shared_ptr<HandlerLink>> HandlerLinks::all() const {
  std::vector<std::shared_ptr<HandlerLink>> links;
  for (const auto& [name, entry] : entries_) {
    if (entry.removed) continue;
    if (auto link = entry.link.lock()) links.push_back(std::move(link));
  }
  return links;
}

void HandlerLinks::begin(uint32_t workers, const Settings& settings, const CurveKeys& curve) {
  const auto number = [&settings](std::string_view key) {
    return static_cast<uint32_t>(settings.number(key));
  };
  // 0MQ's threads begin with the first generation; a later change of their number needs a restart.
  if (!context_)
    context_ = std::make_unique<ZmqContext>(static_cast<int>(number("zeromq.threads")));
  if (!zap_) open_zap();
  // Handlers of both generations may come while the new one is prepared.
  allowed_next_ = curve.clients;
  std::vector<std::string> both = allowed_;
  both.insert(both.end(), allowed_next_.begin(), allowed_next_.end());
  if (zap_) zap_->allow(std::move(both));
  marks_.curve_secret = curve.secret;
  behind_relay_ = workers > 1;
  marks_.send_mark = number("handler.send_mark");
  marks_.recv_mark = number("handler.recv_mark");
  marks_.queue_max = number("handler.queue");
  marks_.queue_bytes = number("handler.queue_bytes");
  marks_.wait_ms = number("handler.wait_ms");
  marks_.timeout_ms = number("handler.timeout");
  marks_.grace_ms = number("handler.grace_ms");
  marks_.handlers_ms = number("upgrade.handlers_ms");
  socket_settings_.take(settings);
  changes_.clear();
  returning_.clear();
  for (auto& [key, entry] : entries_) {
    entry.wanted = false;
    if (const auto link = entry.link.lock()) link->abort_move();
  }
}

Result<std::shared_ptr<HandlerLink>> HandlerLinks::link(const HandlerRow& row) {
  Entry& entry = entries_[key_of(row)];
  std::shared_ptr<HandlerLink> link = entry.link.lock();
  const bool other =
      link != nullptr && (link->replies() != row.replies ||
                          (link->curve_secret() != marks_.curve_secret && on_tcp(row)));
  if (entry.removed && other) {
    link->stop_listening();  // what is due comes out there, the new one is another
    link = nullptr;
  }
  if (link == nullptr) {
    auto opened = HandlerLink::open(loop_, *context_, options_for(row), user_);
    if (!opened.ok()) return std::move(opened).status();
    link = std::move(opened).value();
    entry = {.link = link};
  } else if (link->curve_secret() != marks_.curve_secret && on_tcp(row)) {
    return Status::error("handler pair " + row.send_spec +
                         ": the server's CURVE key cannot change while the pair is open; restart "
                         "the server");
  } else if (link->replies() != row.replies) {
    return Status::error("handler pair " + row.send_spec +
                         ": replies cannot change while the pair is open; change an endpoint "
                         "together with it, or restart the server");
  } else if (link->behind_relay() != behind_relay_ && !entry.wanted) {
    Status prepared = link->prepare_move(*context_, options_for(row));
    if (!prepared.ok()) return prepared;
  } else if (entry.removed && !entry.wanted) {
    Status taken_up = take_up(entry, link, row);
    if (!taken_up.ok()) return taken_up;
  }
  // Rows that share both specs are one pair, with the ident of the first.
  if (!entry.wanted) changes_.push_back({link, row.recv_ident, limits_for(row)});
  entry.wanted = true;
  return link;
}

// Its handlers are still connected to the link that has answers due: that one goes on. Behind the
// relay nothing was closed.
Status HandlerLinks::take_up(Entry& entry, const std::shared_ptr<HandlerLink>& link,
                             const HandlerRow& row) {
  if (behind_relay_) return {};
  if (++entry.returns > kReturnsMax) {
    return Status::error("handler pair " + row.send_spec + ": it was removed and came back " +
                         std::to_string(kReturnsMax) +
                         " times while answers were due; reload again when they are out, or end "
                         "its handlers");
  }
  returning_.emplace_back(link, options_for(row));
  return {};
}

// Without it everybody is let in on plain endpoints, and nobody on those with CURVE.
void HandlerLinks::open_zap() {
  auto opened = ZapHandler::open(loop_, *context_);
  if (!opened.ok()) return log_error("authentication of handlers: " + opened.message());
  zap_ = std::move(opened).value();
}

std::string HandlerLinks::key_of(const HandlerRow& row) const {
  return row.send_spec + ' ' + row.recv_spec;
}

HandlerLinkOptions HandlerLinks::limits_for(const HandlerRow& row) const {
  HandlerLinkOptions limits;
  limits.send_mark = marks_.send_mark;
  limits.recv_mark = marks_.recv_mark;
  limits.queue_max = marks_.queue_max;
  limits.queue_bytes = marks_.queue_bytes;
  limits.wait_ms = marks_.wait_ms;
  limits.timeout_ms = row.timeout_ms == kAsSetting ? marks_.timeout_ms : row.timeout_ms;
  limits.grace_ms = row.grace_ms == kAsSetting ? marks_.grace_ms : row.grace_ms;
  limits.handlers_ms = marks_.handlers_ms;
  return limits;
}

HandlerLinkOptions HandlerLinks::options_for(const HandlerRow& row) {
  HandlerLinkOptions options = limits_for(row);
  options.send_spec = row.send_spec;
  options.recv_spec = row.recv_spec;
  options.replies = row.replies;
  options.recv_ident = row.recv_ident;
  options.curve_secret = marks_.curve_secret;
  options.told = &told_;
  options.told_as = tag_of(key_of(row));
  options.worker_id = first_connection_id(place_.slot, place_.incarnation);
  if (behind_relay_) {
    const auto endpoint = [&](PrivateSide side) {
      return private_endpoint(place_.run_directory, place_.slot, place_.incarnation, row.send_spec,
                              row.recv_spec, side);
    };
    options.requests_endpoint = endpoint(PrivateSide::kRequests);
    options.replies_endpoint = endpoint(PrivateSide::kReplies);
  } else {
    options.requests_endpoint = row.send_spec;
    options.requests_fd = take_offer(row.send_spec);
    options.replies_endpoint = row.recv_spec;
    if (row.replies != Replies::kNone) options.replies_fd = take_offer(row.recv_spec);
    options.requests_held = held_.contains(zmq_key(row.send_spec));
    options.replies_held = held_.contains(zmq_key(row.recv_spec));
  }
  return options;
}

// Of the worker that died in this place: its handlers have not heard that its connections ended.
void HandlerLinks::tell_left() {
  if (left_.empty()) return;
  for (const auto& [key, entry] : entries_) {
    const auto link = entry.link.lock();
    if (link == nullptr) continue;
    std::vector<ConnectionId> ids;
    for (const ToldTable::Entry& each : left_) {
      if (each.pair == tag_of(key)) ids.push_back(each.id);
    }
    if (!ids.empty()) user_.connections_left(*link, std::move(ids));
  }
  left_ = {};
}

OwnedFd HandlerLinks::take_offer(const std::string& endpoint) {
  const auto found = offers_.find(zmq_key(endpoint));
  return found == offers_.end() ? OwnedFd() : std::move(found->second);
}

void HandlerLinks::commit() {
  if (place_.slot == 0) socket_settings_.commit();
  allowed_ = std::move(allowed_next_);
  if (zap_) zap_->allow(allowed_);
  for (auto& [link, options] : std::exchange(returning_, {})) {
    Status listens = link->listen_again(std::move(options));
    if (!listens.ok()) log_error(std::move(listens).in("handler pair").message());
  }
  for (const Change& change : changes_) {
    change.link->commit_move();
    change.link->set_recv_ident(change.recv_ident);
    change.link->set_limits(change.limits);
  }
  tell_left();
  changes_.clear();
  offers_.clear();
  for (auto it = entries_.begin(); it != entries_.end();) {
    // Whoever still waits for an answer keeps it alive.
    it->second.removed = !it->second.wanted;
    it = it->second.link.expired() ? entries_.erase(it) : std::next(it);
  }
}

void HandlerLinks::abort() {
  if (zap_) zap_->allow(allowed_);
  changes_.clear();
  returning_.clear();
  offers_.clear();
  std::erase_if(entries_, [](const auto& item) { return item.second.link.expired(); });
  for (auto& [key, entry] : entries_) {
    if (const auto link = entry.link.lock()) link->abort_move();
  }
}

}  // namespace m2
