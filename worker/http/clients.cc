#include "worker/http/clients.h"

#include <sys/socket.h>

#include <utility>

#include "common/log.h"
#include "worker/http/connection.h"
#include "worker/http/exchange.h"

namespace m2 {
namespace {

constexpr size_t kSpareExchanges = 256;
// Above handler.output_bytes, of all clients that handlers send much at once.
constexpr uint64_t kBurstBytesMax = 64 << 20;
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    "Retry-After: 1\r\nContent-Length: 20\r\n\r\nService Unavailable\n";

}  // namespace

Clients::Clients(Loop& loop, Deadlines& deadlines, AccessLog& access_log, ConnectionId first_id)
    : loop_(loop),
      deadlines_(deadlines),
      access_log_(access_log),
      notes_(deadlines, "clients", {}),
      faults_(deadlines, "answers that failed", {}),
      read_buffer_(std::make_unique<std::array<char, 64 * 1024>>()),
      id_source_(first_id),
      admission_(deadlines) {
  end_of_turn_.start<&Clients::end_of_turn>(loop_, this);
}

Clients::~Clients() {
  leaving_ = Leaving::kNo;  // whoever took clients over may be gone already
  while (first_ != nullptr) first_->close("the worker ends");
  end_of_turn();
}

HeldClients Clients::use(std::shared_ptr<const Generation> generation) {
  const bool first_time = generation_ == nullptr;
  generation_ = std::move(generation);
  parser_limits_ = generation_->limits().parser;
  id_source_.set_short(generation_->limits().short_ids);
  const bool counted_before = std::exchange(counting_, limits().connections_per_address != 0);
  if (counting_ && !counted_before) count_everybody();
  access_log_.set_flush_ms(generation_->access_log_flush_ms());
  access_log_.set_enabled(generation_->access_logging());
  HeldClients held;
  if (first_time) return held;
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    const std::optional<HeldAs> as = connection->held_as();
    const bool stays = connection->generation_changed(*generation_);
    if (as) held.add(*as, stays);
    connection = next;
  }
  return held;
}

bool Clients::has_room(int socket) {
  if (count_ < limits().connections) return true;
  if (refused_++ == 0) {
    log_warn("limits.connections=" + std::to_string(limits().connections) +
             " reached: new clients get 503 until others leave");
  }
  send_full(socket);
  return false;
}

void Clients::accepted(OwnedFd socket, const ClientPeer& peer) {
  if (!has_room(socket.get())) return;
  if (peer.sends_proxy_header && !generation_->trust().proxy_protocol.contains(peer.address)) {
    return admission_.strangers.write(
        "refused " + ip_text(peer.address) +
        ": it is not in proxy_protocol.trusted, and only who is may use a "
        "listener with proxy_protocol=1");
  }
  auto* connection = new Connection(*this, std::move(socket), peer);
  if (!count_in(*connection)) connection->refuse_connection();
}

void Clients::taken_over(OwnedFd socket, const ClientPeer& peer) {
  if (peer.sends_proxy_header) return accepted(std::move(socket), peer);
  if (!has_room(socket.get())) return;
  auto* connection = new Connection(*this, std::move(socket), peer);
  if (counting_) connection->count_in(UINT32_MAX);
}

bool Clients::count_in(Connection& connection) {
  if (!counting_ || connection.count_in(limits().connections_per_address)) return true;
  log_full_address(connection.peer_address());
  return false;
}

// The limit begins while there are clients: who is here stays, and counts.
void Clients::count_everybody() {
  for (Connection* connection = first_; connection != nullptr; connection = connection->next_) {
    connection->count_in(UINT32_MAX);
  }
}

void Clients::log_full_address(std::string_view address) {
  admission_.full_addresses.write(
      "limits.connections_per_address=" + std::to_string(limits().connections_per_address) +
      " reached by " + std::string(address) + ": answered 503");
}

// An empty socket buffer takes these few bytes.
void Clients::send_full(int socket) {
  (void)!::send(socket, kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

HeldClients Clients::retire(Successors& successors) {
  leaving_ = Leaving::kRetiring;
  successors_ = &successors;
  HeldClients held;
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    // Requests are answered; all else ends with the worker.
    if (const auto as = connection->held_as()) held.add(*as, *as == HeldAs::kRequest);
    connection->retire();
    connection = next;
  }
  return held;
}

// Not in this turn: the loop forgets a descriptor in the kernel only before it waits again, and
// what it has not forgotten it would go on hearing of, whoever has the socket then.
void Clients::pass_on(OwnedFd socket, const ClientPeer& peer) {
  passed_on_.push_back({std::move(socket), peer});
  if (!next_turn_.active()) next_turn_.start<&Clients::send_passed_on>(loop_, 0.0, 0.0, this);
}

void Clients::send_passed_on() { successors_->take(std::exchange(passed_on_, {})); }

void Clients::drain() {
  leaving_ = Leaving::kDraining;
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    connection->drain();
    connection = next;
  }
}

std::string_view Clients::date() {
  const int64_t second = static_cast<int64_t>(loop_.wall());
  if (second != date_second_) {
    date_second_ = second;
    write_http_date(second, date_.data());
  }
  return {date_.data(), date_.size()};
}

ConnectionId Clients::give_id(Connection& connection) {
  const ConnectionId id = id_source_.next(loop_.since_epoch(), ids_);
  ids_.insert(id, &connection);
  return id;
}

std::unique_ptr<Exchange> Clients::acquire_exchange() {
  if (spare_exchanges_.empty()) return std::make_unique<Exchange>(parser_limits_);
  std::unique_ptr<Exchange> exchange = std::move(spare_exchanges_.back());
  spare_exchanges_.pop_back();
  exchange->parser.reset(parser_limits_);  // a reload may have changed them
  return exchange;
}

bool Clients::count_burst(uint64_t& counted, uint64_t bytes) {
  if (bytes > counted && burst_bytes_ - counted + bytes > kBurstBytesMax) return false;
  burst_bytes_ += bytes - counted;
  counted = bytes;
  return true;
}

void Clients::release_exchange(std::unique_ptr<Exchange> exchange) {
  count_burst(exchange->burst_bytes_, 0);
  if (exchange->counted_key_ != 0) admission_.counts.leave(exchange->counted_key_);
  if (spare_exchanges_.size() >= kSpareExchanges) return;
  exchange->reset();
  spare_exchanges_.push_back(std::move(exchange));
}

void Clients::arrive(Connection& connection) {
  connection.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &connection;
  first_ = &connection;
  ++count_;
}

void Clients::bury(Connection& connection) {
  if (connection.id_ != 0) {
    ids_.erase(connection.id_);
    id_source_.ended(connection.id_, loop_.since_epoch());
  }
  if (connection.counted_) admission_.counts.leave(client_key(connection.peer_ip_));
  if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
  (connection.previous_ != nullptr ? connection.previous_->next_ : first_) = connection.next_;
  --count_;
  if (refused_ != 0 && count_ < limits().connections) {
    log_warn("clients refused for limits.connections: " + std::to_string(refused_));
    refused_ = 0;
  }
  buried_.push_back(&connection);
}

void Clients::end_of_turn() {
  for (size_t i = 0; i < switched_.size(); ++i) switched_[i]->deliver_early_input();
  switched_.clear();
  for (size_t i = 0; i < doomed_.size(); ++i) {  // close() may doom others
    if (!doomed_[i]->closed()) doomed_[i]->close("the client is gone");
  }
  doomed_.clear();
  for (Connection* connection : buried_) delete connection;
  buried_.clear();
  if (leaving_ == Leaving::kNo || count_ != 0 || !passed_on_.empty()) return;
  if (successors_ == nullptr || successors_->all_taken()) loop_.stop();
}

Connection* Clients::next_of(Connection& connection) { return connection.next_; }

}  // namespace m2
