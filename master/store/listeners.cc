// Rules of listeners. That no two are the same is found with all other endpoints
// (check_endpoints.cc).
#include "master/store/listeners.h"

#include <charconv>
#include <string>

#include "common/config/climbs.h"
#include "common/in_quotes.h"
#include "common/ip_network.h"
#include "common/treaty/plan.h"
#include "master/store/endpoint.h"

namespace m2 {
namespace {

// Each is a descriptor in the master and in every worker.
constexpr size_t kListenersMax = 256;
// A unix address holds 107 bytes.
constexpr size_t kPathMax = 100;

void check_address(RowReader& row, const ListenerRow& listener, Findings& findings) {
  if (!listener.address.starts_with("unix:")) {
    if (!is_numeric_address(listener.address)) {
      findings.error(row.place("address"),
                     "must be a numeric IPv4 or IPv6 address, or the path of a unix socket, as in "
                     "\"unix:run/web\"");
    } else if (row.reference("port").value_or(0) == 0) {
      findings.error(row.place("port"), "must be a port from 1 to 65535");
    }
    return;
  }
  const std::string path = unix_path(listener.address);
  if (path.empty() || path.back() == '/') {
    findings.error(row.place("address"), "must name a file, as in \"unix:run/web\"");
  } else if (climbs(path)) {
    findings.error(row.place("address"), kMustNotClimb);
  } else if (path.size() >= kPathMax) {
    findings.error(row.place("address"), "has a path of 100 bytes or more; use a shorter one");
  }
  if (listener.port != 0) {
    findings.error(row.place("port"), "means nothing with a unix socket; write 0");
  }
}

// "0660", "660".
bool parse_mode(const std::string& text, uint16_t& mode) {
  const char* end = text.data() + text.size();
  const auto [used, error] = std::from_chars(text.data(), end, mode, 8);
  return error == std::errc() && used == end && mode <= 0777;
}

}  // namespace

void load_listeners(ReadContext& context, int64_t server_id, Config& config) {
  RowReader row(context, kListenerTable);
  while (row.next()) {
    const std::optional<int64_t> owner = row.reference("server_id");
    if (!owner) {
      context.findings.warn(row.place("server_id"), "is not the id of a row; this row is ignored");
    }
    if (owner != server_id) continue;
    ListenerRow listener;
    listener.id = row.id();
    listener.address = row.text("address");
    listener.port = static_cast<uint16_t>(row.number("port", 0, 65535));
    listener.proxy_protocol = row.number("proxy_protocol", 0, 1) != 0;
    if (!parse_mode(row.text("mode"), listener.mode)) {
      context.findings.error(row.place("mode"),
                             "must be the permissions of a file, in octal, as in \"0660\"");
    }
    check_address(row, listener, context.findings);
    config.listeners.push_back(std::move(listener));
  }
  if (config.listeners.size() > kListenersMax) {
    context.findings.error("table listener", std::to_string(config.listeners.size()) +
                                                 " rows belong to the server; at most " +
                                                 std::to_string(kListenersMax) + " can be bound");
  }
}

void check_trust(const Config& config, Findings& findings) {
  constexpr std::string_view kProxyTrusted = "proxy_protocol.trusted";
  bool nobody = true;
  for (const std::string_view key : {kProxyTrusted, std::string_view("forwarded.trusted")}) {
    const std::string& text = config.settings.text(key);
    const Result<NetworkList> networks = NetworkList::parse(text);
    const std::string place = "setting " + std::string(key);
    if (!networks.ok()) findings.error(place, networks.message());
    if (key == kProxyTrusted) nobody = networks.ok() && networks.value().empty();
  }
  if (!nobody) return;
  const auto in_vain = [&findings](const std::string& place) {
    findings.error(place,
                   "lets nobody in, because no peer is trusted; set proxy_protocol.trusted to "
                   "the addresses of the balancers, as in \"10.0.0.0/8\"");
  };
  const ServerRow& server = config.server;
  if (server.proxy_protocol) in_vain(at_cell("server", server.id, "proxy_protocol", "1"));
  for (const ListenerRow& listener : config.listeners) {
    if (listener.proxy_protocol) in_vain(at_cell("listener", listener.id, "proxy_protocol", "1"));
  }
}

}  // namespace m2
