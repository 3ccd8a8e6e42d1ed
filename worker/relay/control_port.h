// The control port: a 0MQ REP socket that answers the text commands of the manual (3.8) with JSON.
// It serves operators on this machine; it changes nothing but itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/link/zmq_socket.h"

namespace m2 {

struct ControlTask {
  std::string name;
  std::string state;
};

class ControlPortUser {
 public:
  // The processes that this one knows of.
  virtual std::vector<ControlTask> tasks() const = 0;

 protected:
  ~ControlPortUser() = default;
};

class ControlPort final : ZmqSocketUser {
 public:
  // The loop, the context and the user outlive it.
  static Result<std::unique_ptr<ControlPort>> open(Loop& loop, ZmqContext& context,
                                                   const std::string& endpoint, OwnedFd listening,
                                                   ControlPortUser& user);
  const std::string& endpoint() const { return endpoint_; }

 private:
  // A command is a few words.
  static constexpr int64_t kCommandBytesMax = 4096;
  static constexpr int kMark = 16;  // commands and answers that wait for one operator

  ControlPort(Loop& loop, std::string endpoint, ControlPortUser& user)
      : loop_(loop), endpoint_(std::move(endpoint)), user_(user) {}
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) override;
  std::string answer(std::string_view command);
  std::string task_list() const;

  Loop& loop_;
  const std::string endpoint_;
  ControlPortUser& user_;
  std::unique_ptr<ZmqSocket> socket_;
  bool stopped_ = false;  // "control stop": no answer any more until the server starts again
};

}  // namespace m2
