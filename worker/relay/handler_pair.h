// One handler pair at the relay: the public sockets that handlers connect to on one side, every
// worker on the other, and what waits between them (docs/relay.md). Owned by Relay; never HTTP.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "worker/link/drop_counter.h"
#include "worker/link/peer_gate.h"
#include "worker/link/push_socket.h"
#include "worker/link/recent_ids.h"
#include "worker/link/request_queue.h"
#include "worker/relay/worker_hop.h"

namespace m2 {

struct HandlerPairOptions {
  std::string send_spec;
  std::string recv_spec;
  std::string send_ident;  // of the pair's first row: in notices that the relay writes itself
  std::string recv_ident;
  Replies replies = Replies::kSub;
  std::string curve_secret = {};  // for endpoints on tcp
  HeaderFormat protocol = HeaderFormat::kJson;
  uint32_t targets_max = 128;
  uint32_t send_mark = 64;
  uint32_t recv_mark = 1000;
  uint32_t queue_max = 1000;
  uint64_t queue_bytes = 64 << 20;
  uint32_t wait_ms = 5000;
  bool send_held = false;  // not to be bound before listen(): the handlers of another server are
  bool recv_held = false;  // there yet
};

// What a pair did not deliver, by cause, since it was opened. Handler links count on their side
// too.
struct HandlerPairDrops {
  uint64_t requests_late = 0;    // given back to their worker
  uint64_t replies_invalid = 0;  // not a reply, of several parts, or for too many connections
  uint64_t notices = 0;
};

class HandlerPair final : PushSocketUser,
                          ZmqSocketUser,
                          PeerGateUser,
                          RequestQueueUser,
                          WorkerHopUser {
 public:
  // The descriptors listen at the two specs. The loop and the context outlive the pair.
  static Result<std::unique_ptr<HandlerPair>> open(Loop& loop, ZmqContext& context,
                                                   HandlerPairOptions options, OwnedFd send_fd,
                                                   OwnedFd recv_fd);
  ~HandlerPair();

  // An endpoint that was held (options) is free now.
  void listen(const std::string& endpoint);
  // It comes back after a reload had removed it: new handlers come to these sockets, who is
  // connected stays.
  Status listen_again(OwnedFd send_fd, OwnedFd recv_fd);
  // How often it came back. Each time costs two descriptors.
  unsigned returns = 0;
  // Another generation: idents, protocol and limits of the same pair. The marks of the sockets
  // stay.
  void update(const HandlerPairOptions& options);
  // Known workers are ignored, so that every generation may name all.
  Status add_worker(WorkerName worker, const std::string& requests_endpoint,
                    const std::string& replies_endpoint);
  // It is dead or gone: the handlers are told of the connections that they knew of.
  void remove_worker(WorkerName worker);
  // Workers that have been here before come again, at new ends of theirs: add_worker() connects to
  // these.
  void expect_workers_anew();
  // All have let go of the pair by themselves, and told the handlers what there was to tell.
  void forget_workers();

  const std::string& send_spec() const { return options_.send_spec; }
  Replies replies() const { return options_.replies; }
  const std::string& recv_spec() const { return options_.recv_spec; }
  bool has_handlers() const { return gate_->has_peers(); }
  // Workers that are connected now.
  size_t worker_peers() const;
  // No worker waits for an answer: each that is connected has said so.
  bool settled() const;
  // Requests and notices on their way to handlers.
  size_t waiting() const { return queue_->size() + departed_.size(); }
  // Seconds since the epoch of the last message in either direction.
  double last_message() const { return last_message_; }
  HandlerPairDrops drops() const;

 private:
  struct Hop {
    std::unique_ptr<WorkerHop> hop;
    std::string requests_endpoint;
    bool stale = false;  // the worker has another end by now
    bool lost = false;   // it was told of handlers that are gone, and of none since that came
  };
  // Connections of a dead worker that the handlers are still to be told of.
  struct Departed {
    std::vector<ConnectionId> ids;  // the told ones are taken from the end
    double until;
  };

  // As many as one worker can leave behind at once.
  static constexpr size_t kToldEndedMax = 1 << 20;

  HandlerPair(Loop& loop, HandlerPairOptions options) : loop_(loop), options_(std::move(options)) {}
  Status open_sockets(ZmqContext& context);
  Status connect_anew(Hop& known, const std::string& replies_endpoint);

  void zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message,
                   bool multipart) override;
  void push_writable() override { flush(); }
  void push_peers_changed() override {
    if (gate_) gate_->peers_changed();
  }
  void push_peer_gone(PeerId peer, std::vector<PushMessage>& unsent) override;
  void gate_changed() override;
  bool may_pass() const override { return gate_->open(); }
  void passed(const Passed& message) override;
  PeerId likely_peer(ConnectionId id) const override;
  void expired(ConnectionId id, bool notice, bool again) override;
  void credits_void(ConnectionId id, bool again) override {
    if (!again) consumed(id);
  }
  void hop_relieved() override { pace(); }

  void request(ZmqMessage& message);
  void reply(ZmqMessage& message);
  void unknown_connection(ConnectionId id);
  void look_for_cut(std::string_view text);
  void refuse(ConnectionId id, std::string_view why);
  bool tell_departed(ConnectionId id);
  void feed_departed();
  void departed_late();
  void flush();
  void pace();
  WorkerHop* owner_of(ConnectionId id) const;
  void consumed(ConnectionId id);
  void say_consumed();
  void say_put_back();
  void say_came();
  void worker_word(std::string_view word);
  void bad_reply(std::string_view why);
  void notice_dropped(ConnectionId id, std::string_view why);

  Loop& loop_;
  ZmqContext* context_ = nullptr;
  HandlerPairOptions options_;
  std::unique_ptr<PushSocket> to_handlers_;
  std::unique_ptr<ZmqSocket> from_handlers_;  // null: no handler replies here
  std::unique_ptr<ZmqSocket> from_workers_;
  std::unique_ptr<PeerGate> gate_;
  std::unique_ptr<RequestQueue> queue_;
  std::vector<Hop> hops_;
  std::array<std::vector<WorkerHop*>, kSlotsMax> by_slot_;  // newest incarnation first
  std::deque<Departed> departed_;
  TimerWatcher departed_timer_;
  TimerWatcher consumed_timer_;  // runs when workers are to be told how far their requests are
  RecentIds told_ended_{kToldEndedMax};  // notices that were sent, or that are under way
  std::string notice_;
  double last_message_ = 0;
  bool had_handlers_ = false;
  size_t request_peers_ = 0;  // as last seen
  DropCounter late_;
  KindCounter invalid_;
  DropCounter notices_;
  DropCounter untracked_;
  int64_t looked_for_cut_s_ = 0;
};

}  // namespace m2
