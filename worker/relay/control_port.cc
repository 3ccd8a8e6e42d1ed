#include "worker/relay/control_port.h"

#include <csignal>
#include <cstdint>
#include <utility>

#include "common/log.h"
#include "common/log_limit.h"
#include "worker/link/private_endpoint.h"

namespace m2 {

Result<std::unique_ptr<ControlPort>> ControlPort::open(Loop& loop, ZmqContext& context,
                                                       const std::string& endpoint,
                                                       OwnedFd listening,
                                                       const std::string& curve_secret,
                                                       ControlPortUser& user) {
  std::unique_ptr<ControlPort> self(new ControlPort(loop, endpoint, user));
  const bool tcp = endpoint.starts_with(kTcpScheme);
  const ZmqSocketOptions options{.send_mark = kMark,
                                 .recv_mark = kMark,
                                 .message_max = kCommandBytesMax,
                                 .guarded = tcp,
                                 .curve_secret = tcp ? curve_secret : std::string()};
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kRep, options, *self);
  if (!socket.ok()) return std::move(socket).status().in("control port");
  self->socket_ = std::move(socket).value();
  Status adopted = self->socket_->adopt(endpoint, std::move(listening));
  if (!adopted.ok()) return std::move(adopted).in("control port");
  self->socket_->set_reading(true);
  return self;
}

void ControlPort::zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>& message, bool multipart) {
  carry_out(read_control_command(multipart ? std::string_view() : bytes_of(*message)));
}

void ControlPort::carry_out(ControlCommand command) {
  const bool tnetstring = command.tnetstring;
  switch (command.verb) {
    case ControlVerb::kNone:
      return reply(command.answer);
    case ControlVerb::kTime:
      return reply(answer_time(tnetstring, static_cast<int64_t>(loop_.wall())));
    case ControlVerb::kUuid:
      return reply(answer_uuid(tnetstring, user_.info().uuid));
    case ControlVerb::kInfo:
      return reply(answer_info(tnetstring, user_.info()));
    case ControlVerb::kHelp:
      return reply(answer_help(tnetstring));
    case ControlVerb::kStatusTasks:
      return reply(answer_tasks(tnetstring, user_.tasks()));
    case ControlVerb::kStatusNet:
    case ControlVerb::kKill:
      return ask(std::move(command));
    case ControlVerb::kStop:
    case ControlVerb::kReload:
    case ControlVerb::kTerminate:
      return reply(signal(command));
    case ControlVerb::kControlStop:
      stopped_ = true;
      log_warn("control port " + endpoint_ + " is stopped, as it was told");
      return reply(answer_message(
          tnetstring, tnetstring ? "stopping the control port" : "stopping control port"));
  }
}

// The socket reads nothing more before the reply: that is REP. The message is gone by then, so the
// id is kept as text of our own.
void ControlPort::ask(ControlCommand command) {
  const bool kill = command.verb == ControlVerb::kKill;
  const std::string id = std::to_string(command.id);
  const std::string question = kill ? std::string(kQueryKill) + id : std::string(kQueryNet);
  const auto done = [this, alive = std::weak_ptr(alive_), command = std::move(command), id,
                     kill](const QueryAnswers& answers) mutable {
    if (alive.expired()) return;
    if (answers.silent > 0) {
      static LogLimit limit("workers that do not answer the control port", LogLevel::kWarn);
      limit.write("control port: " + std::to_string(answers.silent) + " workers did not answer");
    }
    if (!kill) return reply(answer_net(command.tnetstring, answers.texts, answers.silent));
    bool found = false;
    for (const std::string& text : answers.texts) found = found || text == kQueryDone;
    command.text = id;
    static LogLimit limit("connections killed through the control port");
    if (found) limit.write("control port: connection " + id + " was killed");
    reply(answer_kill(command, found, answers.silent));
  };
  user_.ask_workers(question, kill ? command.id : 0, done);
}

std::string ControlPort::signal(const ControlCommand& command) {
  const int number = command.verb == ControlVerb::kStop     ? SIGINT
                     : command.verb == ControlVerb::kReload ? SIGHUP
                                                            : SIGTERM;
  static LogLimit limit("what the control port was told", LogLevel::kWarn);
  limit.write("control port: the server is told to " +
              std::string(command.verb == ControlVerb::kReload ? "reload" : "stop"));
  user_.signal_server(number);
  return answer_message(command.tnetstring, "signal sent to server");
}

void ControlPort::reply(const std::string& text) {
  ZmqMessage message(text.data(), text.size());
  socket_->send(message);
  if (stopped_) socket_->set_reading(false);
}

}  // namespace m2
