// A worker's end of the questions that the relay asks for the control port: a private 0MQ endpoint
// in the run directory, mode 0600. One text each way; a number before both tells answers apart. It
// knows no question by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "worker/link/private_endpoint.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

class QueryUser {
 public:
  virtual std::string answer_query(std::string_view question) = 0;

 protected:
  ~QueryUser() = default;
};

class QueryPort final : ZmqSocketUser {
 public:
  // The loop, the context and the user outlive it.
  static Result<std::unique_ptr<QueryPort>> open(Loop& loop, ZmqContext& context,
                                                 const std::string& endpoint, QueryUser& user);

 private:
  static constexpr int kMark = 4;  // one relay asks one question at a time
  static constexpr int64_t kQuestionBytesMax = 256;

  explicit QueryPort(QueryUser& user) : user_(user) {}
  void zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message, bool) override;

  QueryUser& user_;
  PrivateEndpoint path_;
  std::unique_ptr<ZmqSocket> socket_;
};

}  // namespace m2
