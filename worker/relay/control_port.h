// The control port: a 0MQ REP socket that answers commands of the manual (3.8) and of Mongrel2 1.x
// (control_language.h). For operators on this machine. What workers know is asked of them, so an
// answer may come later; one command at a time, the others wait in their senders' sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/link/zmq_socket.h"
#include "worker/relay/control_language.h"
#include "worker/relay/worker_queries.h"

namespace m2 {

class ControlPortUser {
 public:
  // The processes that this one knows of.
  virtual std::vector<ControlTask> tasks() const = 0;
  virtual ControlInfo info() const = 0;
  // done comes within a bounded time, and never within the call. id 0: all workers, else the one
  // that can have given it out.
  virtual void ask_workers(const std::string& question, ConnectionId id,
                           WorkerQueries::Done done) = 0;
  // HUP, INT or TERM, to the master.
  virtual void signal_server(int number) = 0;

 protected:
  ~ControlPortUser() = default;
};

class ControlPort final : ZmqSocketUser {
 public:
  // The loop, the context and the user outlive it. curve_secret: for an endpoint on tcp.
  static Result<std::unique_ptr<ControlPort>> open(Loop& loop, ZmqContext& context,
                                                   const std::string& endpoint, OwnedFd listening,
                                                   const std::string& curve_secret,
                                                   ControlPortUser& user);
  const std::string& endpoint() const { return endpoint_; }

 private:
  // A command is a few words.
  static constexpr int64_t kCommandBytesMax = 4096;
  static constexpr int kMark = 16;  // commands and answers that wait for one operator

  ControlPort(Loop& loop, std::string endpoint, ControlPortUser& user)
      : loop_(loop), endpoint_(std::move(endpoint)), user_(user) {}
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) override;
  void carry_out(ControlCommand command);
  void ask(ControlCommand command);
  std::string signal(const ControlCommand& command);
  void reply(const std::string& text);

  Loop& loop_;
  const std::string endpoint_;
  ControlPortUser& user_;
  std::unique_ptr<ZmqSocket> socket_;
  bool stopped_ = false;  // "control stop": no answer any more until the server starts again
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for answers that come later
};

}  // namespace m2
