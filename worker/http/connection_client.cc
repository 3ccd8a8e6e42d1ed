// The part of a connection that decides who its client is, and whether it speaks TLS: the PROXY
// header that a balancer sends first, what proxies say of each request, and the cap on clients of
// one address.
#include "common/log.h"
#include "proto/http/forwarded.h"
#include "proto/proxy_protocol.h"
#include "worker/http/clients.h"
#include "worker/http/connection.h"

namespace m2 {

void Connection::set_peer(const IpAddress& address, uint16_t port) {
  peer_ip_ = address;
  peer_length_ = static_cast<uint8_t>(write_ip(address, peer_));
  peer_port_ = port;
}

void Connection::read_proxy_header(std::string_view bytes) {
  std::string_view all = bytes;
  if (exchange_ != nullptr) {
    exchange_->input.append(bytes);
    all = exchange_->input;
  }
  const ProxyHeader header = parse_proxy_header(all);
  switch (header.state) {
    case ProxyHeader::State::kIncomplete:
      if (exchange_ != nullptr) return;
      begin_exchange(State::kProxyHeader);
      exchange_->input.assign(bytes);
      return;
    case ProxyHeader::State::kBad:
      return close_without_proxy_header(header.what);
    case ProxyHeader::State::kComplete:
      break;
  }
  std::string_view rest = all.substr(header.bytes);
  std::string kept;
  if (exchange_ != nullptr) {  // the request, when it comes, begins another one
    rest = kept.assign(rest);
    clients_.release_exchange(std::move(exchange_));
  }
  state_ = State::kIdle;
  https_ = header.tls;
  if (header.source.known()) {  // else it is the balancer itself that asks: it has no cap
    set_peer(header.source, header.port);
    if (!clients_.count_in(*this)) return refuse_connection();
  }
  if (!rest.empty()) return process(rest);
  if (clients_.retiring()) retire();
}

void Connection::close_without_proxy_header(std::string_view what) {
  clients_.admission().bad_headers.write("closing " + std::string(peer_address()) + ": " +
                                         std::string(what) +
                                         ", where a PROXY header is due (proxy_protocol=1)");
  close("no PROXY header");
}

// One of its address from now on. Who only passes on other clients' requests is not.
bool Connection::count_in(uint32_t most) {
  const uint64_t key = client_key(peer_ip_);
  if (counted_ || key == 0 || state_ == State::kProxyHeader) return true;
  if (clients_.generation()->trust().forwarded.contains(peer_ip_)) return true;
  counted_ = clients_.admission().counts.enter(key, most);
  return counted_;
}

// At once, read or not: a client that is one too many must not hold a place by lingering.
void Connection::refuse_connection() {
  Clients::send_full(socket_.get());
  close("");
}

// Who asks, and by which scheme, if the peer only passes the request on. False: refused, and the
// exchange is over.
bool Connection::find_origin() {
  Exchange& exchange = *exchange_;
  const NetworkList& trusted = exchange.generation_->trust().forwarded;
  exchange.peer_is_trusted_ = !trusted.empty() && trusted.contains(peer_ip_);
  // RFC 9110 7.4: only who is trusted to have spoken TLS with the client may ask for such a URI.
  if (exchange.head_.is_https && !https_ && !exchange.peer_is_trusted_) {
    refuse(421, "an https URI, but no TLS and no trusted network (RFC 9110 7.4)");
    return false;
  }
  if (!exchange.peer_is_trusted_) return true;
  const ForwardedRequest said = read_forwarded(exchange.head_, exchange.base_, trusted);
  if (said.scheme != ForwardedScheme::kNotSaid) {
    exchange.https_ = said.scheme == ForwardedScheme::kHttps;
  }
  if (exchange.head_.is_https) exchange.https_ = true;
  if (!said.client.known()) return true;
  exchange.client_length_ = static_cast<uint8_t>(write_ip(said.client, exchange.client_address_));
  const uint32_t most = clients_.limits().connections_per_address;
  if (most == 0) return true;
  const uint64_t key = client_key(said.client);
  if (clients_.admission().counts.enter(key, most)) {
    exchange.counted_key_ = key;
    return true;
  }
  clients_.log_full_address(exchange.client_address());
  refuse(503, {});
  return false;
}

}  // namespace m2
