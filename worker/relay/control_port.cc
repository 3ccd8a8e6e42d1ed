#include "worker/relay/control_port.h"

#include <cstdint>

#include "common/json_writer.h"
#include "common/log.h"

namespace m2 {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);  // C clients send one
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

}  // namespace

Result<std::unique_ptr<ControlPort>> ControlPort::open(Loop& loop, ZmqContext& context,
                                                       const std::string& endpoint,
                                                       OwnedFd listening, ControlPortUser& user) {
  std::unique_ptr<ControlPort> self(new ControlPort(loop, endpoint, user));
  const ZmqSocketOptions options{
      .send_mark = kMark, .recv_mark = kMark, .message_max = kCommandBytesMax};
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kRep, options, *self);
  if (!socket.ok()) return std::move(socket).status().in("control port");
  self->socket_ = std::move(socket).value();
  Status adopted = self->socket_->adopt(endpoint, std::move(listening));
  if (!adopted.ok()) return std::move(adopted).in("control port");
  self->socket_->set_reading(true);
  return self;
}

void ControlPort::zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message,
                              bool multipart) {
  const std::string text =
      multipart ? R"({"error": "invalid command"})" : answer(trimmed(bytes_of(*message)));
  ZmqMessage reply(text.data(), text.size());
  socket.send(reply);
  if (stopped_) socket.set_reading(false);
}

std::string ControlPort::answer(std::string_view command) {
  if (command == "time") {
    return R"({"time": )" + std::to_string(static_cast<int64_t>(loop_.now())) + "}";
  }
  if (command == "status tasks") return task_list();
  if (command == "control stop") {
    stopped_ = true;
    log_warn("control port " + endpoint_ + " is stopped, as it was told");
    return R"({"msg": "stopping control port"})";
  }
  if (command == "status net" || command == "kill" || command.starts_with("kill ")) {
    return R"({"error": "not available: the workers do not report their connections yet"})";
  }
  return R"({"error": "invalid command"})";
}

std::string ControlPort::task_list() const {
  JsonWriter out;
  out.begin_object();
  out.key("task_list");
  out.begin_array();
  int64_t id = 0;
  for (const ControlTask& task : user_.tasks()) {
    out.begin_object();
    out.key("id");
    out.number(++id);
    out.key("system");
    out.number(0);
    out.key("name");
    out.text(task.name);
    out.key("state");
    out.text(task.state);
    out.key("extra");
    out.text("");
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return out.take() + "\n";
}

}  // namespace m2
