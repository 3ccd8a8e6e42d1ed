// The relay process: the control port, and with more than one worker the public 0MQ endpoints of
// all handler pairs. The relay's end of the reload treaty (common/treaty/messages.h); see
// docs/relay.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/channel.h"
#include "common/treaty/child.h"
#include "common/treaty/heartbeat.h"
#include "worker/link/zap_handler.h"
#include "worker/link/zmq_context.h"
#include "worker/relay/control_port.h"
#include "worker/relay/handler_pair.h"

namespace m2 {

class Relay final : ChannelUser, ControlPortUser {
 public:
  explicit Relay(ChildStart start);
  ~Relay();
  void run() { loop_.run(); }

 private:
  // Pairs and control port may be shared with the generation before.
  struct Generation {
    uint64_t number = 0;
    bool relays = false;    // the handlers' endpoints are ours
    double handlers_s = 0;  // how long handlers may stay at a pair that has moved
    LogLevel log_level = LogLevel::kInfo;
    uint64_t heartbeat_ms = 0;
    std::vector<HandlerPairOptions> rows;             // of every pair in the configuration
    std::vector<std::shared_ptr<HandlerPair>> pairs;  // in the order of rows; none unless it relays
    std::shared_ptr<ControlPort> control;
    ControlInfo info;
    CurveKeys curve;
  };
  // A pair that the current generation does not have, until nobody needs it.
  struct Retired {
    std::shared_ptr<HandlerPair> pair;
    double since;
    double deserted = 0;  // when the last worker had left it
    bool moved;  // its endpoints belong to the worker now, so handlers should come there soon
  };
  struct Returning {  // a retired pair that the generation being built names again
    std::shared_ptr<HandlerPair> pair;
    OwnedFd send_fd, recv_fd;
  };

  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;
  std::vector<ControlTask> tasks() const override;
  ControlInfo info() const override;
  void ask_workers(const std::string& question, ConnectionId id, WorkerQueries::Done done) override;
  void signal_server(int number) override;

  void take_offer(Message message);
  Status prepare(Message& message);
  Result<std::shared_ptr<HandlerPair>> pair_for(const HandlerPairOptions& row);
  Result<std::shared_ptr<HandlerPair>> take_up(const std::shared_ptr<HandlerPair>& pair,
                                               OwnedFd send_fd, OwnedFd recv_fd);
  Status guard(const CurveKeys& curve);
  Result<std::shared_ptr<ControlPort>> control_for(const std::string& endpoint,
                                                   const std::string& curve_secret);
  OwnedFd offered(const std::string& key);
  void commit(uint64_t generation);
  void abort();
  void retire_others(const std::vector<std::shared_ptr<HandlerPair>>& before);
  Status connect(HandlerPair& pair, WorkerName worker);
  void worker_up(WorkerName worker);
  void worker_down(WorkerName worker);
  void drain(uint64_t limit_ms);
  void listen(const std::string& keys);
  void leave_handlers(uint64_t limit_ms);
  void look_around();
  bool finished(Retired& retired) const;
  bool may_end() const;
  std::vector<HandlerPair*> all_pairs() const;
  void answer(MessageType type, uint64_t generation, std::string text = {});

  Loop loop_;
  OwnedFd error_log_;
  const std::string run_directory_;
  std::unique_ptr<ZmqContext> context_;  // from the first generation on
  std::unique_ptr<ZapHandler> zap_;
  std::map<std::string, OwnedFd> offers_;
  std::set<std::string, std::less<>>
      held_;  // keys of endpoints that another server's relay has yet
  std::vector<WorkerName> workers_;
  WorkerQueries queries_{loop_};
  std::unique_ptr<Generation> next_;  // prepared, not yet current
  std::unique_ptr<Generation> current_;
  std::vector<Retired> retired_;
  std::vector<Returning> returning_;
  TimerWatcher look_around_;  // while something is on its way out
  bool orphaned_ = false;     // the master is gone
  double ends_at_ = 0;        // 0: not draining
  double leaves_at_ = 0;      // 0: no other server waits for our handlers
  Channel channel_;
  Heartbeat heartbeat_;
};

}  // namespace m2
