// One worker: what it consists of, and its end of the treaty with the master. Generations arrive
// here, are built beside the one in use, and take its place between two events.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/config/model.h"
#include "common/deadlines.h"
#include "common/loop.h"
#include "common/treaty/channel.h"
#include "common/treaty/child.h"
#include "common/treaty/heartbeat.h"
#include "common/treaty/plan.h"
#include "worker/client_report.h"
#include "worker/generation.h"
#include "worker/handlers_leave.h"
#include "worker/http/acceptor.h"
#include "worker/http/access_log.h"
#include "worker/http/clients.h"
#include "worker/link/handler_links.h"
#include "worker/target/backends.h"
#include "worker/target/handler_replies.h"
#include "worker/target/targets.h"
#include "worker/target/upload.h"

namespace m2 {

class Worker final : private ChannelUser, private Successors {
 public:
  explicit Worker(ChildStart start);
  // Until drained, or until the master and then the last client are gone.
  void run() { loop_.run(); }

 private:
  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;
  void take(std::vector<PassedOn> clients) override;
  bool all_taken() const override { return channel_.all_sent(); }

  void take_offer(Message message);
  void take_clients(Message message);
  Status prepare(Message& message);
  void commit(uint64_t generation);
  void abort();
  void open_queries();
  struct Prepared;
  void use_listeners(Prepared& prepared);
  void drain(uint64_t limit_ms);
  void retire(uint64_t limit_ms);
  void take_no_more(uint64_t limit_ms);
  void drain_limit_passed();
  void take_logs(Message message);
  void take_addresses(Message message);
  void answer(MessageType type, uint64_t generation, std::string text = {});

  const unsigned slot_;
  Loop loop_;
  Deadlines deadlines_;
  OwnedFd error_log_;
  AccessLog access_log_;
  HandlerLinks
      links_;  // outlives all that may hold a link: its 0MQ context ends when the last is closed
  Backends backends_;  // outlives all that may hold one
  Uploads uploads_;    // what clients leave behind is removed before it ends
  Clients clients_;
  HandlerReplies replies_;
  HandlersLeave handlers_leave_;
  ClientReport report_;
  std::unique_ptr<QueryPort> queries_;  // from the first generation on
  const std::string query_endpoint_;
  Targets targets_;
  Channel channel_;
  Heartbeat heartbeat_;
  TimerWatcher drain_timer_;

  std::map<std::string, OwnedFd> offered_listeners_;
  std::map<std::string, std::unique_ptr<Acceptor>> acceptors_;  // by key
  struct Prepared {
    std::shared_ptr<const Generation> generation;
    std::map<std::string, OwnedFd> new_listeners;
    std::vector<PlanListener> listeners;  // all it has
    std::string settings;                 // for the log; one worker says them
    int error_log_level = 2;
    uint64_t heartbeat_ms = 0;
  };
  std::unique_ptr<Prepared> prepared_;
};

}  // namespace m2
