// One request on its way through a backend: forwards the head and the body, follows the answer
// without changing it, and turns what goes wrong into 502, 503, 504 or a closed connection. Owned
// and reused by Proxy; belongs to one exchange at a time. Never buffers more than its two bounds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http/request_head.h"
#include "proto/http/response_reader.h"
#include "worker/target/backend_connection.h"
#include "worker/target/target.h"

namespace m2 {

class Proxy;

class ProxyExchange final : public Responder, private BackendUser {
 public:
  explicit ProxyExchange(Proxy& proxy) : proxy_(proxy) {}
  virtual ~ProxyExchange() = default;

  void begin(Exchange& exchange);
  // If the head still waits for a first piece of the body: it goes alone.
  void send_held_head();

  void body(std::string_view bytes, bool last) override;
  void pull() override;
  void stop() override;

 private:
  void backend_drained() override;
  void backend_received(std::string_view bytes) override;
  void backend_ended(const BackendEnd& end) override;

  void send_head();
  void repeat();
  void hold_answer(std::string_view bytes);
  void pass_on(std::string_view bytes);
  void answer_ended(bool connection_clean);
  // Both end the exchange; it is not touched afterwards.
  void fail(BackendEnd::Cause cause, std::string_view why);
  void give_up(int status, std::string_view why);
  void finish();

  Proxy& proxy_;
  Exchange* exchange_ = nullptr;
  BackendConnection* connection_ = nullptr;  // while exchange_ is set, but within backend_ended()
  ResponseReader reader_;
  std::string head_;  // of the request as forwarded; kept so that it can be repeated
  std::string held_;  // of the answer: what came before its head was complete
  BodyFraming framing_ = BodyFraming::kNone;
  bool head_waits_ = false;  // head_ was not sent yet
  bool body_done_ = false;   // the request's body is complete
  bool repeatable_ = false;  // RFC 9110 9.2.2, and without a body
  bool answered_ = false;    // bytes of the final answer went to the client
  bool client_paused_ = false;
};

}  // namespace m2
