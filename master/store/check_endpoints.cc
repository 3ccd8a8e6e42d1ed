// Rules of handlers: their endpoints, which the server binds, and their idents, which stand in
// messages.
#include <algorithm>
#include <string>
#include <unordered_map>

#include "common/in_quotes.h"
#include "common/treaty/plan.h"
#include "master/store/check.h"
#include "master/store/endpoint.h"
#include "proto/handler/ident.h"

namespace m2 {
namespace {

// Two bound sockets and two in each worker for every pair; no plan is made for more.
constexpr size_t kHandlerPairsMax = 4096;

void check_idents(const HandlerRow& handler, Findings& findings) {
  const std::string& send = handler.send_ident;
  if (!is_ident(send)) {
    findings.error(at_cell("handler", handler.id, "send_ident", send),
                   "must be 1 to 255 ASCII characters without spaces; m2sh uuid makes one");
  } else if (!(send + ' ').starts_with(handler.recv_ident)) {  // as replies begin
    findings.warn(at_cell("handler", handler.id, "recv_ident", handler.recv_ident),
                  "lets no reply through that begins with the send_ident " + in_quotes(send) +
                      "; write that, or leave it empty");
  }
}

// "tcp://HOST:PORT" in its parts.
struct Address {
  std::string host;  // "": all of both families
  std::string port;
  bool is_tcp = false;

  explicit Address(std::string_view endpoint) {
    const size_t colon = endpoint.rfind(':');
    is_tcp = endpoint.starts_with("tcp://") && colon > 5;
    if (!is_tcp) return;
    host = endpoint.substr(6, colon - 6);
    port = endpoint.substr(colon + 1);
    if (host == "*") host = "0.0.0.0";
    if (host == "[::]") host.clear();
  }
  bool covers(const Address& other) const {
    return host.empty() || host == other.host || (host == "0.0.0.0" && other.host[0] != '[');
  }
};

// Every endpoint is bound once, so two uses of one cannot both work. Clients' listeners may overlap
// with each other: 0.0.0.0 beside one address.
class Uses {
 public:
  explicit Uses(Findings& findings) : findings_(findings) {}

  void add(const std::string& endpoint, const std::string& place, std::string user,
           bool clients = false) {
    if (endpoint.empty()) return;
    const bool is_unix = endpoint.starts_with("unix:");  // the same kind of file as ipc
    const Address address(endpoint);
    for (const Use& use : by_port_[address.port]) {
      if (!address.is_tcp || (clients && use.clients) || use.endpoint == endpoint) continue;
      if (use.address.covers(address) || address.covers(use.address)) {
        return findings_.error(place, "has the port of " + use.endpoint + ", which is " + use.user +
                                          "; choose another");
      }
    }
    if (address.is_tcp) by_port_[address.port].push_back({endpoint, address, user, clients});
    const auto first = by_endpoint_.try_emplace(is_unix ? "ipc://" + endpoint.substr(5) : endpoint,
                                                std::move(user));
    if (first.second) return;
    findings_.error(place, "is " + first.first->second +
                               " already, and an endpoint can be bound only once; choose another");
  }

 private:
  struct Use {
    std::string endpoint;
    Address address;
    std::string user;
    bool clients;
  };
  Findings& findings_;
  std::unordered_map<std::string, std::vector<Use>> by_port_;
  std::unordered_map<std::string, std::string> by_endpoint_;
};

}  // namespace

void check_endpoints(const Config& config, Findings& findings) {
  Uses uses(findings);
  const std::vector<PlanListener> listeners = make_plan(config).listeners;
  for (size_t at = 0; at < listeners.size(); ++at) {  // the first is the server's own
    const ListenerRow* row = at == 0 ? nullptr : &config.listeners[at - 1];
    uses.add(listeners[at].spec,
             row == nullptr ? "" : at_cell("listener", row->id, "address", row->address),
             row == nullptr ? "the address of the HTTP port"
                            : "the address of " + at_row("listener", row->id),
             true);
  }
  const ServerRow& server = config.server;
  uses.add(server.control_port, at_cell("server", server.id, "control_port", server.control_port),
           "the control port");
  for (const HandlerRow& handler : config.handlers) {
    const std::string row = "of " + at_row("handler", handler.id);
    const auto check = [&](std::string_view column, EndpointUse use, const std::string& endpoint,
                           const std::string& user) {
      const std::string place = at_cell("handler", handler.id, column, endpoint);
      const Status status = check_endpoint(endpoint, use);
      if (!status.ok()) findings.error(place, status.message());
      uses.add(endpoint, place, user);
    };
    // A handler pair is known by both endpoints together; half a pair cannot be shared.
    check("send_spec", EndpointUse::kRequests, handler.send_spec,
          "the send_spec " + row + " (whose recv_spec is " + in_quotes(handler.recv_spec) + ")");
    if (handler.replies != Replies::kNone) {
      check("recv_spec",
            handler.replies == Replies::kSub ? EndpointUse::kReplies : EndpointUse::kRequests,
            handler.recv_spec,
            "the recv_spec " + row + " (whose send_spec is " + in_quotes(handler.send_spec) + ")");
    } else if (!handler.recv_spec.empty()) {
      findings.error(at_cell("handler", handler.id, "recv_spec", handler.recv_spec),
                     "no handler can reply there, since replies is \"none\"; leave it empty");
    }
    check_idents(handler, findings);
  }
  if (config.handlers.size() > kHandlerPairsMax) {
    findings.error("table handler", std::to_string(config.handlers.size()) +
                                        " pairs of endpoints are routed to; at most " +
                                        std::to_string(kHandlerPairsMax) + " can be bound");
  }
}

}  // namespace m2
