// Asks workers on behalf of the control port, and waits for them no longer than kPatienceS. Owned
// by Relay, also with one worker; never in the way of what is relayed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/link/zmq_socket.h"
#include "worker/relay/worker_hop.h"

namespace m2 {

// Of the workers that were asked.
struct QueryAnswers {
  std::vector<std::string> texts;
  unsigned silent = 0;  // gave none in time, or died meanwhile
};

class WorkerQueries final : ZmqSocketUser {
 public:
  static constexpr double kPatienceS = 1.0;
  using Done = std::function<void(QueryAnswers)>;

  // The loop outlives it.
  WorkerQueries(Loop& loop, double patience_s = kPatienceS)
      : loop_(loop), patience_s_(patience_s) {}

  Status add(ZmqContext& context, WorkerName worker, const std::string& endpoint);
  void remove(WorkerName worker);
  // Asks all, or all of one slot. done is called once, never within the call. One question at a
  // time.
  void ask(std::string_view question, std::optional<unsigned> slot, Done done);

 private:
  struct Peer {
    WorkerName worker;
    std::unique_ptr<ZmqSocket> socket;
    bool due = false;
  };
  void zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message, bool) override;
  void look();
  void finish();

  // An answer names each client of a worker in a line below 128 bytes.
  static constexpr int64_t kAnswerBytesMax = 16 << 20;
  static constexpr int kMark = 4;

  Loop& loop_;
  const double patience_s_;
  std::vector<Peer> peers_;
  uint64_t number_ = 0;
  QueryAnswers answers_;
  Done done_;
  TimerWatcher timer_;
};

}  // namespace m2
