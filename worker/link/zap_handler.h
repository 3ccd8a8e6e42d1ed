// Who may connect to the handlers' public endpoints: the authentication handler of this process
// (ZAP, ZeroMQ RFC 27), which libzmq asks at every handshake. With CURVE it knows the keys that may
// come in; without, everybody may who speaks ZMTP 3, and being asked at all keeps out what only
// looks like an older peer.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "worker/link/drop_counter.h"
#include "worker/link/zmq_socket.h"

namespace m2 {

class ZapHandler final : ZmqSocketUser {
 public:
  // One for each context, before the first guarded socket is bound. Both outlive it.
  static Result<std::unique_ptr<ZapHandler>> open(Loop& loop, ZmqContext& context);

  // Public keys, 40 characters each. Who is connected stays.
  void allow(std::vector<std::string> keys);
  uint64_t refused() const { return refused_.total(); }

 private:
  ZapHandler() = default;
  void zmq_message(ZmqSocket&, std::shared_ptr<ZmqMessage>&, bool) override {}
  void zmq_parts(ZmqSocket& socket, std::vector<ZmqMessage>& parts) override;
  bool allows(std::string_view mechanism, const std::vector<ZmqMessage>& parts) const;

  std::unique_ptr<ZmqSocket> socket_;
  std::set<std::string, std::less<>> keys_;
  DropCounter refused_;
};

}  // namespace m2
