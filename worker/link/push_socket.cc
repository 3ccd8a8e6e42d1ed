#include "worker/link/push_socket.h"

#include "worker/link/private_endpoint.h"
#include "worker/link/zmq_push.h"
#include "worker/link/zmtp_push.h"

namespace m2 {

Result<std::unique_ptr<PushSocket>> PushSocket::open(Loop& loop, ZmqContext& context,
                                                     const PushOptions& options,
                                                     PushSocketUser& user) {
  const bool ours =
      options.endpoint.starts_with(kIpcScheme) || options.endpoint.starts_with(kTcpScheme);
  if (options.guarded && ours && options.curve_secret.empty()) {
    return std::unique_ptr<PushSocket>(std::make_unique<ZmtpPush>(loop, options, user));
  }
  return ZmqPush::open(loop, context, options, user);
}

}  // namespace m2
