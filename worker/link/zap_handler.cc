#include "worker/link/zap_handler.h"

#include <array>
#include <utility>

#include "common/log.h"

namespace m2 {
namespace {

constexpr std::string_view kEndpoint = "inproc://zeromq.zap.01";
constexpr std::string_view kVersion = "1.0";
constexpr size_t kKeyBytes = 32;
constexpr size_t kKeyTextBytes = 41;  // with a NUL
// A request: version, number, domain, address, identity, mechanism, then credentials.
enum Part : size_t { kNumber = 1, kAddress = 3, kMechanism = 5, kCredentials = 6 };

}  // namespace

Result<std::unique_ptr<ZapHandler>> ZapHandler::open(Loop& loop, ZmqContext& context) {
  std::unique_ptr<ZapHandler> self(new ZapHandler());
  // No marks: libzmq asks once for each handshake, and goes on only with the answer.
  ZmqSocketOptions options{.send_mark = 0, .recv_mark = 0};
  options.parts = true;
  auto socket = ZmqSocket::open(loop, context, ZmqKind::kRep, options, *self);
  if (!socket.ok()) return std::move(socket).status();
  self->socket_ = std::move(socket).value();
  Status bound = self->socket_->bind(std::string(kEndpoint));
  if (!bound.ok()) return bound;
  self->socket_->set_reading(true);
  return self;
}

void ZapHandler::allow(std::vector<std::string> keys) {
  keys_ = {std::make_move_iterator(keys.begin()), std::make_move_iterator(keys.end())};
}

bool ZapHandler::allows(std::string_view mechanism, const std::vector<ZmqMessage>& parts) const {
  if (mechanism == "NULL") return true;  // an endpoint without CURVE
  if (mechanism != "CURVE" || parts.size() <= kCredentials) return false;
  const ZmqMessage& key = parts[kCredentials];
  if (key.size() != kKeyBytes) return false;
  std::array<char, kKeyTextBytes> text;
  zmq_z85_encode(text.data(), key.data<uint8_t>(), kKeyBytes);
  return keys_.contains(std::string_view(text.data(), kKeyTextBytes - 1));
}

void ZapHandler::zmq_parts(ZmqSocket& socket, std::vector<ZmqMessage>& parts) {
  const bool understood = parts.size() > kMechanism && bytes_of(parts[0]) == kVersion;
  const bool allowed = understood && allows(bytes_of(parts[kMechanism]), parts);
  if (!allowed && refused_.add()) {
    const std::string address = understood ? parts[kAddress].to_string() : "?";
    log_warn("handler endpoint: a peer at " + address +
             " has no key that stands in curve.clients_file, and is refused (so far: " +
             std::to_string(refused_.total()) + ")");
  }
  const std::string number = parts.size() > kNumber ? parts[kNumber].to_string() : "";
  socket.send_parts({kVersion, number, allowed ? "200" : "400", "", "", ""});
}

}  // namespace m2
