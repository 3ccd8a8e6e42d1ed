// One function a table; where a row's id leads is remembered in an index, which then links routes.
#include "master/store/targets.h"

#include <limits>
#include <string>
#include <unordered_map>

#include "common/in_quotes.h"
#include "master/store/backend_list.h"

namespace m2 {
namespace {

constexpr uint32_t kNotRead = UINT32_MAX;

// By row id: index into the vector of the Config. Begins with every wanted id and kNotRead.
using Index = std::unordered_map<int64_t, uint32_t>;

// Whether the reader's row is wanted and has not been read; an id that comes twice counts once.
bool is_due(const RowReader& row, const Index& index) {
  const auto found = index.find(row.id());
  return found != index.end() && found->second == kNotRead;
}

void load_directories(ReadContext& context, Index& index, std::vector<DirRow>& dirs) {
  RowReader row(context, kDirectoryTable);
  while (row.next()) {
    if (!is_due(row, index)) continue;
    DirRow dir;
    dir.id = row.id();
    dir.base = row.text("base");
    dir.index_file = row.text("index_file");
    dir.default_ctype = row.text("default_ctype");
    if (dir.default_ctype.empty()) dir.default_ctype = "text/plain";
    dir.cache_ttl_s =
        static_cast<uint32_t>(row.number("cache_ttl", 0, std::numeric_limits<uint32_t>::max()));
    dir.listing = row.number("listing", 0, 1) == 1;
    dir.precompressed = row.number("precompressed", 0, 1) == 1;
    index[dir.id] = static_cast<uint32_t>(dirs.size());
    dirs.push_back(std::move(dir));
  }
}

void load_proxies(ReadContext& context, Index& index, std::vector<ProxyRow>& proxies) {
  RowReader row(context, kProxyTable);
  while (row.next()) {
    if (!is_due(row, index)) continue;
    ProxyRow proxy;
    proxy.id = row.id();
    proxy.addr = row.text("addr");
    proxy.port = static_cast<uint16_t>(row.number("port", 1, 65535));
    if (const std::string balance = row.text("balance"); balance == "least_connections") {
      proxy.balance = Balance::kLeastConnections;
    } else if (!balance.empty() && balance != "round_robin") {
      context.findings.error(row.place("balance"),
                             "must be \"round_robin\" or \"least_connections\"");
    }
    Result<std::vector<BackendRow>> backends = parse_backends(proxy.addr, proxy.port);
    if (backends.ok()) {
      proxy.backends = std::move(backends).value();
    } else {
      context.findings.error(row.place("addr"), backends.message());
    }
    index[proxy.id] = static_cast<uint32_t>(proxies.size());
    proxies.push_back(std::move(proxy));
  }
}

std::string_view name_of(SlowClients policy) {
  constexpr std::string_view kNames[] = {"close", "drop_newest", "drop_oldest"};
  return kNames[static_cast<size_t>(policy)];
}

SlowClients read_slow_clients(RowReader& row, Findings& findings) {
  const std::string text = row.text("slow_clients");
  for (const SlowClients policy : {SlowClients::kDropNewest, SlowClients::kDropOldest}) {
    if (text == name_of(policy)) return policy;
  }
  if (text != name_of(SlowClients::kClose) && !text.empty()) {
    findings.error(row.place("slow_clients"),
                   "must be \"close\", \"drop_newest\" or \"drop_oldest\"");
  }
  return SlowClients::kClose;
}

std::string_view name_of(Replies replies) {
  constexpr std::string_view kNames[] = {"sub", "pull", "none"};
  return kNames[static_cast<size_t>(replies)];
}

Replies read_replies(RowReader& row, Findings& findings) {
  const std::string text = row.text("replies");
  for (const Replies replies : {Replies::kPull, Replies::kNone}) {
    if (text == name_of(replies)) return replies;
  }
  if (text != name_of(Replies::kSub) && !text.empty()) {
    findings.error(row.place("replies"),
                   "must be \"sub\" (handlers publish), \"pull\" (they push) or \"none\"");
  }
  return Replies::kSub;
}

HandlerRow read_handler(RowReader& row, Findings& findings) {
  constexpr auto kLeast = std::numeric_limits<int64_t>::min();
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  HandlerRow handler;
  handler.id = row.id();
  handler.send_spec = row.text("send_spec");
  handler.send_ident = row.text("send_ident");
  handler.recv_spec = row.text("recv_spec");
  handler.recv_ident = row.text("recv_ident");
  handler.raw_payload = row.number("raw_payload", kLeast, kMost) == 1;
  handler.replies = read_replies(row, findings);
  const std::string protocol = row.text("protocol");
  if (protocol == "tnetstring") {
    handler.protocol = HeaderFormat::kTnetstring;
  } else if (protocol != "json" && !protocol.empty()) {
    findings.warn(row.place("protocol"), "counts as \"json\"; write \"json\" or \"tnetstring\"");
  }
  handler.slow_clients = read_slow_clients(row, findings);
  const std::string websocket = row.text("websocket");
  if (websocket == "messages") {
    handler.websocket = WebSocketContract::kMessages;
  } else if (websocket != "frames" && !websocket.empty()) {
    findings.error(row.place("websocket"), "must be \"frames\" or \"messages\"");
  }
  handler.timeout_ms = row.time_ms("timeout_ms");
  handler.grace_ms = row.time_ms("grace_ms");
  return handler;
}

// One pair of sockets has one behaviour, that of its first row, as in Mongrel2 1.x: the first thing
// in which two rows disagree is a warning.
void check_same_pair(const HandlerRow& first, const HandlerRow& second, Findings& findings) {
  const auto format = [](const HandlerRow& row) {
    return row.protocol == HeaderFormat::kJson ? "json" : "tnetstring";
  };
  const auto contract = [](const HandlerRow& row) {
    return row.websocket == WebSocketContract::kFrames ? "frames" : "messages";
  };
  const auto time = [](uint32_t ms) {
    return ms == kAsSetting ? std::string("-1") : std::to_string(ms);
  };
  const auto raw = [](const HandlerRow& row) { return row.raw_payload ? "1" : "0"; };
  const auto compare = [&](std::string_view column, std::string_view a, std::string_view b) {
    if (a == b) return true;
    findings.warn(at_cell("handler", second.id, column, b),
                  "row " + std::to_string(first.id) + " has the same send_spec and recv_spec but " +
                      in_quotes(a) +
                      " here, which counts for both; make both equal, or give this row its own "
                      "endpoints");
    return false;
  };
  (void)(compare("send_ident", first.send_ident, second.send_ident) &&
         compare("recv_ident", first.recv_ident, second.recv_ident) &&
         compare("raw_payload", raw(first), raw(second)) &&
         compare("protocol", format(first), format(second)) &&
         compare("slow_clients", name_of(first.slow_clients), name_of(second.slow_clients)) &&
         compare("replies", name_of(first.replies), name_of(second.replies)) &&
         compare("websocket", contract(first), contract(second)) &&
         compare("timeout_ms", time(first.timeout_ms), time(second.timeout_ms)) &&
         compare("grace_ms", time(first.grace_ms), time(second.grace_ms)));
}

void load_handlers(ReadContext& context, Index& index, std::vector<HandlerRow>& handlers) {
  std::unordered_map<std::string, uint32_t> pairs;  // by both endpoints: index into handlers
  RowReader row(context, kHandlerTable);
  while (row.next()) {
    if (!is_due(row, index)) continue;
    HandlerRow handler = read_handler(row, context.findings);
    const auto place = static_cast<uint32_t>(handlers.size());
    const auto pair = pairs.try_emplace(handler.send_spec + '\n' + handler.recv_spec, place);
    index[handler.id] = pair.first->second;
    if (pair.second) {
      handlers.push_back(std::move(handler));
    } else {
      check_same_pair(handlers[pair.first->second], handler, context.findings);
    }
  }
}

}  // namespace

void load_targets(ReadContext& context, const std::vector<RouteTarget>& wanted, Config& config) {
  Index indexes[3];  // by TargetKind
  const auto route_of = [&](const RouteTarget& target) -> RouteRow& {
    return config.hosts[target.host].routes[target.route];
  };
  const auto index_of = [&](TargetKind kind) -> Index& {
    return indexes[static_cast<size_t>(kind)];
  };
  for (const RouteTarget& target : wanted) index_of(route_of(target).kind)[target.id] = kNotRead;

  load_directories(context, index_of(TargetKind::kDir), config.dirs);
  load_proxies(context, index_of(TargetKind::kProxy), config.proxies);
  load_handlers(context, index_of(TargetKind::kHandler), config.handlers);

  constexpr std::string_view kTables[] = {"directory", "proxy", "handler"};  // by TargetKind
  for (const RouteTarget& target : wanted) {
    RouteRow& route = route_of(target);
    const uint32_t index = index_of(route.kind)[target.id];
    if (index != kNotRead) {
      route.target = index;
    } else if (!context.failed) {
      const std::string id = std::to_string(target.id);
      context.findings.error(at_row("route", route.id) + ", target_id " + id,
                             "there is no row " + id + " in table " +
                                 std::string(kTables[static_cast<size_t>(route.kind)]) +
                                 "; point the route at one that is there, or remove it");
    }
  }
}

}  // namespace m2
