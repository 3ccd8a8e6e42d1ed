// The answer's side of a ProxyExchange: heads are looked at and, where they must be, written anew;
// bodies pass as they are. A 101 that was asked for makes a tunnel of both connections.
#include <algorithm>

#include "common/log.h"
#include "proto/http/gateway_answer.h"
#include "worker/http/exchange.h"
#include "worker/target/proxy.h"
#include "worker/target/proxy_exchange.h"

namespace m2 {
namespace {

using State = ResponseReader::State;
using Kind = GatewayAnswerResult::Kind;

// The backend is not read while the client has this much to take: one read may come on top.
constexpr uint64_t kAnswerUnsentMax = 256 * 1024;
// A head and a first piece of body up to this size leave in one piece although the head was written
// anew.
constexpr size_t kJoinedMax = 16 * 1024;

}  // namespace

void ProxyExchange::backend_received(std::string_view bytes) {
  if (tunnel_) return pass_tunnelled(bytes);
  while (reader_.state() == State::kHead && !bytes.empty()) {
    bytes.remove_prefix(reader_.feed_head(bytes));
    if (reader_.state() == State::kBroken) return bad_answer(reader_.reason());
    if (reader_.head_complete()) return take_final_head(bytes);
    if (!reader_.interim().empty() && !take_interim()) return;
  }
  if (reader_.state() != State::kHead) pass_body(bytes);
}

// False: the exchange has ended.
bool ProxyExchange::take_interim() {
  if (reader_.interim().substr(9, 3) == "100") expects_ = false;
  if (exchange_->is_http10()) return true;  // it would not know what that is (RFC 9110 15.2)
  const auto result = write_gateway_answer({.head = reader_.interim()}, out_);
  if (result.kind == Kind::kBad) {
    bad_answer(result.reason);
    return false;
  }
  exchange_->send(result.kind == Kind::kAsItIs ? reader_.interim() : std::string_view(out_));
  if (exchange_->unsent() > kAnswerUnsentMax) connection_->pause_reading(true);
  return true;
}

// rest: what stands behind the head.
void ProxyExchange::take_final_head(std::string_view rest) {
  Exchange& exchange = *exchange_;
  expects_ = false;
  if (reader_.state() == State::kSwitched && !upgrade_) {
    return bad_answer("101 Switching Protocols without being asked to");
  }
  const bool http10 = exchange.is_http10();
  decodes_ = http10 && reader_.chunked();
  // Whose end is the end of the connection is told so.
  const bool ends = reader_.state() == State::kUntilClose || decodes_;
  const bool kept = exchange.keep_alive();
  exchange.set_keep_alive(kept && !ends);
  const bool switched = reader_.state() == State::kSwitched;
  const auto result = write_gateway_answer(
      {.head = reader_.head(),
       .connection = switched ? std::string_view() : exchange.connection_field(),
       .date = exchange.client().date(),
       .drop_coding = http10},
      out_);
  if (result.kind == Kind::kBad) {
    exchange.set_keep_alive(kept);
    return bad_answer(result.reason);
  }
  proxy_.balancer_.answered(*backend_);
  const std::string_view head = reader_.head();
  if (switched) return open_tunnel(rest);
  drops_trailers_ = result.names_fields;
  const bool as_it_comes = !decodes_ && !drops_trailers_;
  const bool in_place =
      result.kind == Kind::kAsItIs && as_it_comes && head.data() + head.size() == rest.data();
  if (result.kind == Kind::kAsItIs && !in_place) out_.assign(head);
  const bool joined = !in_place && (rest.size() <= kJoinedMax || !as_it_comes);
  const size_t used = joined ? take_body(rest, out_) : reader_.feed_body(rest);
  if (reader_.state() == State::kBroken) {
    exchange.set_keep_alive(kept);
    return bad_answer(reader_.reason());
  }
  if (in_place) {
    exchange.send({head.data(), head.size() + used});
  } else {
    exchange.send(out_);
    if (!joined) exchange.send(rest.substr(0, used));
  }
  out_.clear();
  exchange.set_status(reader_.status());
  answered_ = true;
  reader_.drop_head();
  passed(reader_.body_bytes(), used == rest.size());
}

// Appends to out what the client gets of it; returns how much of it belongs to the answer.
size_t ProxyExchange::take_body(std::string_view bytes, std::string& out) {
  if (decodes_) return reader_.feed_body(bytes, &out);
  const size_t used = reader_.feed_body(bytes);
  const size_t trailers = drops_trailers_ ? reader_.trailers_at() : std::string_view::npos;
  out.append(bytes.substr(0, std::min(used, trailers)));
  if (trailers != std::string_view::npos && reader_.state() == State::kComplete) out += "\r\n";
  return used;
}

void ProxyExchange::pass_body(std::string_view bytes) {
  const uint64_t before = reader_.body_bytes();
  size_t used;
  if (decodes_ || drops_trailers_) {
    used = take_body(bytes, out_);
    if (reader_.state() == State::kBroken) return bad_answer(reader_.reason());
    exchange_->send(out_);
    out_.clear();
  } else {
    used = reader_.feed_body(bytes);
    if (reader_.state() == State::kBroken) return bad_answer(reader_.reason());
    exchange_->send(bytes.substr(0, used));
  }
  passed(reader_.body_bytes() - before, used == bytes.size());
}

void ProxyExchange::passed(uint64_t body_bytes, bool all_used) {
  exchange_->add_body_bytes(body_bytes);
  if (reader_.state() == State::kComplete) return answer_ended(all_used);
  if (exchange_->unsent() > kAnswerUnsentMax) connection_->pause_reading(true);
}

// connection_clean: nothing came behind the answer.
void ProxyExchange::answer_ended(bool connection_clean) {
  Exchange& exchange = *exchange_;
  if (connection_ != nullptr) {
    connection_->release(reader_.keep_alive() && connection_clean && body_done_);
  }
  finish();
  exchange.complete();
}

// out_ holds the head of the 101.
void ProxyExchange::open_tunnel(std::string_view rest) {
  answered_ = tunnel_ = true;
  exchange_->set_status(101);
  exchange_->send(out_);
  out_.clear();
  reader_.drop_head();
  heard_at_s_ = proxy_.loop_.now();
  connection_->expect_nothing();
  exchange_->client().switch_protocols();
  exchange_->client().wake_after(proxy_.limits_.tunnel_ms);
  if (!rest.empty()) pass_tunnelled(rest);
}

void ProxyExchange::pass_tunnelled(std::string_view bytes) {
  heard_at_s_ = proxy_.loop_.now();
  exchange_->send(bytes);
  exchange_->add_body_bytes(bytes.size());
  if (exchange_->unsent() > kAnswerUnsentMax) connection_->pause_reading(true);
}

void ProxyExchange::woken() {
  const double left_s = heard_at_s_ + proxy_.limits_.tunnel_ms / 1000.0 - proxy_.loop_.now();
  if (left_s > 0) return exchange_->client().wake_after(static_cast<uint64_t>(left_s * 1000) + 1);
  log_info(connection_->name() + ": the tunnel was silent for proxy.tunnel_ms=" +
           std::to_string(proxy_.limits_.tunnel_ms) + ", closed");
  connection_->close();
  tunnel_ended();
}

// What the client has not taken yet still leaves, within its write deadline.
void ProxyExchange::tunnel_ended() {
  Exchange& exchange = *exchange_;
  finish();
  exchange.complete();
}

}  // namespace m2
