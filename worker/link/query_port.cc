#include "worker/link/query_port.h"

#include <utility>

namespace m2 {

Result<std::unique_ptr<QueryPort>> QueryPort::open(Loop& loop, ZmqContext& context,
                                                   const std::string& endpoint, QueryUser& user) {
  std::unique_ptr<QueryPort> self(new QueryPort(user));
  const ZmqSocketOptions options{
      .send_mark = kMark, .recv_mark = kMark, .message_max = kQuestionBytesMax};
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kPair, options, *self);
  if (!socket.ok()) return std::move(socket).status();
  self->socket_ = std::move(socket).value();
  auto listening = self->path_.listen(endpoint);
  if (!listening.ok()) return std::move(listening).status();
  Status adopted = self->socket_->adopt(endpoint, std::move(listening).value());
  if (!adopted.ok()) return adopted;
  self->socket_->set_reading(true);
  return self;
}

void QueryPort::zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message, bool) {
  const std::string_view text = bytes_of(*message);
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return;
  std::string answer(text.substr(0, space + 1));
  answer += user_.answer_query(text.substr(space + 1));
  ZmqMessage reply(answer.data(), answer.size());
  socket.send(reply);  // no room: the relay has stopped listening, and says so to who asked it
}

}  // namespace m2
