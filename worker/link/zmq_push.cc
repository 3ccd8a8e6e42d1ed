#include "worker/link/zmq_push.h"

#include <utility>

namespace m2 {
namespace {

// What was passed on gets this long to leave when a socket is closed: the last notices of a stop.
constexpr int kLingerMs = 200;
// Nobody has anything to say on this socket; what somebody says there must not fill our memory.
constexpr int64_t kIncomingMax = 64 * 1024;

}  // namespace

Result<std::unique_ptr<PushSocket>> ZmqPush::open(Loop& loop, ZmqContext& context,
                                                  const PushOptions& options,
                                                  PushSocketUser& user) {
  std::unique_ptr<ZmqPush> self(new ZmqPush(user));
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kPush,
                                {.send_mark = static_cast<int>(options.send_mark),
                                 .message_max = kIncomingMax,
                                 .linger_ms = kLingerMs,
                                 .guarded = options.guarded,
                                 .curve_secret = options.curve_secret},
                                *self);
  if (!socket.ok()) return std::move(socket).status();
  self->socket_ = std::move(socket).value();
  if (options.guarded) {
    auto monitor = ZmqMonitor::open(loop, context, *self->socket_, *self);
    if (!monitor.ok()) return std::move(monitor).status();
    self->monitor_ = std::move(monitor).value();
  }
  return std::unique_ptr<PushSocket>(std::move(self));
}

}  // namespace m2
