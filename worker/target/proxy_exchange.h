// One request on its way through a backend: forwards the head and the body, passes the answer on,
// and turns what goes wrong into another try where that is safe, else into 502, 503, 504 or a
// closed connection. Owned and reused by Proxy; belongs to one exchange at a time. Never buffers
// more than its two bounds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/deadlines.h"
#include "proto/http/gateway_request.h"
#include "proto/http/request_head.h"
#include "proto/http/response_reader.h"
#include "worker/target/backend_connection.h"
#include "worker/target/balancer.h"
#include "worker/target/target.h"

namespace m2 {

class Proxy;

class ProxyExchange final : public Responder, private BackendUser, private Deadline {
 public:
  explicit ProxyExchange(Proxy& proxy) : proxy_(proxy) {}
  ~ProxyExchange() override = default;

  void begin(Exchange& exchange);
  // If the head still waits for a first piece of the body: it goes alone.
  void send_held_head();

  void body(std::string_view bytes, bool last) override;
  void pull() override;
  void woken() override;
  void stop() override;

 private:
  // proxy_exchange.cc: the request, and every end
  void backend_drained() override;
  void backend_ended(const BackendEnd& end) override;
  void deadline_passed() override;
  void answer_here(GatewayVerdict verdict);
  bool connect(BackendPool::Use use);
  void send_again(std::string_view sent);
  bool moves(const BackendEnd& end);
  void pause_client_if_behind();
  // Each ends the exchange; it is not touched afterwards.
  void fail(BackendEnd::Cause cause, std::string_view why);
  void bad_answer(std::string_view why);
  void give_up(int status, std::string_view why);
  void finish();

  // proxy_answer.cc: the answer, and what follows a 101. False: the exchange has ended.
  void backend_received(std::string_view bytes) override;
  bool take_interim();
  void take_final_head(std::string_view rest);
  void pass_body(std::string_view bytes);
  size_t take_body(std::string_view bytes, std::string& out);
  void passed(uint64_t body_bytes, bool all_used);
  void answer_ended(bool connection_clean);
  void open_tunnel(std::string_view rest);
  void pass_tunnelled(std::string_view bytes);
  void tunnel_ended();

  Proxy& proxy_;
  Exchange* exchange_ = nullptr;
  Backend* backend_ = nullptr;               // the one it was sent to last
  BackendConnection* connection_ = nullptr;  // while exchange_ is set, but within backend_ended()
  ResponseReader reader_;
  std::string head_;  // of the request as forwarded; kept so that it can be repeated
  std::string out_;   // of the answer, on its way through a call
  Balancer::Visited visited_ = 0;
  double heard_at_s_ = 0;  // of a tunnel: the last byte of either side
  BodyFraming framing_ = BodyFraming::kNone;
  bool head_waits_ = false;      // head_ was not sent yet
  bool body_passed_ = false;     // some of the request's body was sent
  bool body_done_ = false;       // the request's body is complete
  bool idempotent_ = false;      // RFC 9110 9.2.2
  bool upgrade_ = false;         // asked for a WebSocket
  bool expects_ = false;         // the client waits for 100 (Continue)
  bool keeps_trailers_ = false;  // of the request
  bool drops_trailers_ = false;  // of the answer
  bool decodes_ = false;         // takes chunks off, for a client of HTTP/1.0
  bool answered_ = false;        // bytes of the final answer went to the client
  bool tunnel_ = false;
  bool client_paused_ = false;
};

}  // namespace m2
