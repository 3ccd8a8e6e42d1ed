// All clients of one worker and what they share: the configuration in use, one read buffer, a pool
// of exchanges, the ids, the access log. Decides who may come in, and ends them all at a stop.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "common/deadlines.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/treaty/held_clients.h"
#include "proto/http/date.h"
#include "worker/generation.h"
#include "worker/http/access_log.h"
#include "worker/http/admission.h"
#include "worker/http/client_peer.h"
#include "worker/http/connection_table.h"
#include "worker/http/id_source.h"

namespace m2 {

class Connection;
class Exchange;

struct PassedOn {
  OwnedFd socket;
  ClientPeer peer;
};

// Where the clients of a worker that retires go.
class Successors {
 public:
  virtual void take(std::vector<PassedOn> clients) = 0;
  // Whatever was given away has left this process.
  virtual bool all_taken() const = 0;

 protected:
  ~Successors() = default;
};

class Clients {
 public:
  // first_id: of the ids this worker gives out (connection_id.h).
  Clients(Loop& loop, Deadlines& deadlines, AccessLog& access_log, ConnectionId first_id);
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void number_requests_from(RequestId first) { next_request_id_ = first; }
  // Requests that begin from now on use this configuration. Returns whom it held then.
  HeldClients use(std::shared_ptr<const Generation> generation);
  const std::shared_ptr<const Generation>& generation() const { return generation_; }
  const Limits& limits() const { return generation_->limits(); }

  // A new client. Over limits.connections or limits.connections_per_address it is told 503 and
  // closed; who is to send a PROXY header and is not trusted is closed.
  void accepted(OwnedFd socket, const ClientPeer& peer);
  // A client of another worker, or of a listener that is gone: no cap on its address turns it away.
  void taken_over(OwnedFd socket, const ClientPeer& peer);
  // nullptr: no client of this worker has this id.
  Connection* find(ConnectionId id) const { return ids_.find(id); }
  // An id that this worker can have given out.
  bool may_be_ours(ConnectionId id) const {
    return id_source_.may_have_given(id, loop_.since_epoch());
  }
  size_t count() const { return count_; }
  // visit(Connection&) must not close it.
  template <typename Visit>
  void each(Visit visit) {
    for (Connection* at = first_; at != nullptr; at = next_of(*at)) visit(*at);
  }

  // Closes idle clients now, the others after the answer they wait for; then stops the loop.
  void drain();
  bool draining() const { return leaving_ == Leaving::kDraining; }
  // Passes on who is between two requests, the others after their answer; then stops the loop.
  // successors outlives the clients. Returns whom it held.
  HeldClients retire(Successors& successors);
  bool retiring() const { return leaving_ == Leaving::kRetiring; }

  // For connections.
  Loop& loop() { return loop_; }
  Deadlines& deadlines() { return deadlines_; }
  AccessLog& access_log() { return access_log_; }
  LimitedLog& notes() { return notes_; }    // what clients do wrong
  LimitedLog& faults() { return faults_; }  // what they meet: backends and handlers that fail
  std::array<char, 64 * 1024>& read_buffer() { return *read_buffer_; }
  std::string_view date();  // of this second, as HTTP writes it
  ConnectionId give_id(Connection& connection);
  RequestId give_request_id() { return next_request_id_++; }
  std::unique_ptr<Exchange> acquire_exchange();
  void release_exchange(std::unique_ptr<Exchange> exchange);
  void arrive(Connection& connection);
  // Of messages that slow clients did not get; returns how many there were so far.
  uint64_t count_dropped(uint64_t messages) { return dropped_messages_ += messages; }
  // What a client is owed above handler.output_bytes was `counted`, and is to be so many bytes now.
  // False: all clients together would have too much; it stays as it was.
  bool count_burst(uint64_t& counted, uint64_t bytes);
  // The connection is closed; it is deleted at the end of this turn, when nobody is inside it.
  void bury(Connection& connection);
  // To be ended at the end of this turn: its socket failed while a target was using it.
  void doom(Connection& connection) { doomed_.push_back(&connection); }
  // It has left HTTP: at the end of this turn its responder gets what came early.
  void switched(Connection& connection) { switched_.push_back(&connection); }
  // Its connection has stopped watching it; it leaves this process in the next turn.
  void pass_on(OwnedFd socket, const ClientPeer& peer);
  Admission& admission() { return admission_; }
  // Counts it for its address. False: there are too many, which was logged.
  bool count_in(Connection& connection);
  void log_full_address(std::string_view address);
  static void send_full(int socket);  // 503, best effort

 private:
  static Connection* next_of(Connection& connection);
  bool has_room(int socket);
  void count_everybody();
  void end_of_turn();
  void send_passed_on();

  Loop& loop_;
  Deadlines& deadlines_;
  AccessLog& access_log_;
  LimitedLog notes_;
  LimitedLog faults_;
  PrepareWatcher end_of_turn_;
  std::shared_ptr<const Generation> generation_;
  ParserLimits parser_limits_;
  std::unique_ptr<std::array<char, 64 * 1024>> read_buffer_;
  std::vector<std::unique_ptr<Exchange>> spare_exchanges_;
  ConnectionTable ids_;
  IdSource id_source_;
  RequestId next_request_id_ = 1;
  Connection* first_ = nullptr;  // all connections, doubly linked
  size_t count_ = 0;
  uint64_t refused_ = 0;
  uint64_t dropped_messages_ = 0;
  uint64_t burst_bytes_ = 0;
  Admission admission_;
  bool counting_ = false;  // limits.connections_per_address is set
  enum class Leaving : uint8_t { kNo, kRetiring, kDraining };
  Leaving leaving_ = Leaving::kNo;
  Successors* successors_ = nullptr;
  std::vector<PassedOn> passed_on_;
  TimerWatcher next_turn_;
  std::vector<Connection*> switched_;
  std::vector<Connection*> doomed_;
  std::vector<Connection*> buried_;
  int64_t date_second_ = -1;
  std::array<char, kHttpDateBytes> date_{};
};

}  // namespace m2
