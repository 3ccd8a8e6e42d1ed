// The story of a load: one read transaction over the tables in their order, then the rules that
// span rows (check.h), then names to addresses (resolve.h). docs/configuration.md lists the
// findings.
#include "master/store/load.h"

#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>

#include "common/in_quotes.h"
#include "master/store/check.h"
#include "master/store/curve_keys.h"
#include "master/store/endpoint.h"
#include "master/store/ipc_access.h"
#include "master/store/listeners.h"
#include "master/store/resolve.h"
#include "master/store/rows.h"
#include "master/store/select.h"
#include "master/store/sqlite.h"
#include "master/store/targets.h"
#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr int kBusyMs = 2000;
constexpr int kResolveMs = 5000;

bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is(c, kTokenChar); });
}

void load_settings(ReadContext& context, Settings& settings) {
  std::unordered_map<std::string, int64_t> rows;  // by key, to say which row was first
  RowReader row(context, kSettingTable);
  while (row.next()) {
    const std::string key = row.text("key");
    const std::string value = row.text("value");
    const SettingSpec* spec = find_setting(key);
    if (spec == nullptr) {
      context.findings.warn(row.place("key"),
                            "is no setting and is ignored; docs/settings.md lists them all");
      continue;
    }
    const auto first = rows.try_emplace(key, row.id());
    if (!first.second) {
      const auto kept = settings.explicit_values().find(key);
      if (kept != settings.explicit_values().end() && kept->second != value) {
        context.findings.error(row.place("key"), "row " + std::to_string(first.first->second) +
                                                     " sets it too, to " + in_quotes(kept->second) +
                                                     "; keep one of the two rows");
      }
      continue;
    }
    if (!spec->has_effect) {
      context.findings.warn(row.place("key"),
                            "has no effect: " + std::string(spec->help) + " Remove the row");
      continue;
    }
    Status status = settings.set(key, value);
    if (!status.ok()) {
      context.findings.error(at_row("setting", row.id()) + ", " + status.message());
    } else if (key == "control_port" && !value.empty()) {
      status = check_endpoint(value, EndpointUse::kControl);
      if (!status.ok()) context.findings.error(row.place("value"), status.message());
    } else if (key == "dir.charset" && !is_token(value)) {
      context.findings.error(row.place("value"),
                             "must be the name of a charset, as in \"utf-8\", or empty");
    }
  }
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

void load_mimetypes(ReadContext& context, Config& config) {
  struct Seen {
    int64_t id;
    std::string extension;  // as written
    size_t index;           // into Config::mimetypes
  };
  const auto longest = static_cast<size_t>(config.settings.number("limits.mime_ext_len"));
  std::unordered_map<std::string, Seen> seen;  // by lower-case extension
  RowReader row(context, kMimetypeTable);
  while (row.next()) {
    const std::string extension = row.text("extension");
    const std::string type = row.text("mimetype");
    if (extension.size() < 2 || extension.front() != '.') {
      context.findings.error(row.place("extension"), "must begin with a dot, as in \".txt\"");
      continue;
    }
    if (extension.size() >= longest) {
      context.findings.error(row.place("extension"), "must be shorter than limits.mime_ext_len (" +
                                                         std::to_string(longest) +
                                                         " bytes); shorten it or raise that");
    }
    if (!is_header_text(type) || type.empty()) {
      context.findings.error(row.place("mimetype"),
                             "must be a media type on one line, as in \"text/plain\"");
    }
    const auto first =
        seen.try_emplace(lower_case(extension), Seen{row.id(), extension, config.mimetypes.size()});
    if (first.second) {
      config.mimetypes.push_back({lower_case(extension), type});
      continue;
    }
    const Seen& other = first.first->second;
    if (other.extension == extension) {
      context.findings.error(row.place("extension"), "row " + std::to_string(other.id) +
                                                         " has it too; keep one of the two rows");
    } else if (config.mimetypes[other.index].type != type) {
      context.findings.warn(row.place("extension"), "differs only in case from row " +
                                                        std::to_string(other.id) +
                                                        ", whose type is used; remove this row");
    }
  }
}

void load_server(ReadContext& context, int64_t id, Config& config) {
  RowReader row(context, kServerTable);
  while (row.next()) {
    if (row.id() != id) continue;
    ServerRow& server = config.server;
    server.id = id;
    server.uuid = row.text("uuid");
    server.name = row.text("name");
    server.access_log = row.text("access_log");
    server.error_log = row.text("error_log");
    server.chroot = row.text("chroot");
    server.pid_file = row.text("pid_file");
    server.default_host = row.text("default_host");
    server.bind_addr = row.text("bind_addr");
    server.port = static_cast<uint16_t>(row.number("port", 1, 65535));
    server.error_log_level = static_cast<int>(row.number("error_log_level", 0, 3));
    if (row.number("use_ssl", 0, 1) != 0) {
      context.findings.error(row.place("use_ssl"),
                             "TLS is not available; write 0 and end TLS in front of the server");
    }
    server.proxy_protocol = row.number("proxy_protocol", 0, 1) != 0;
    server.control_port = row.text("control_port");
    if (server.control_port.empty()) {
      server.control_port = config.settings.text("control_port");
    } else if (const Status status = check_endpoint(server.control_port, EndpointUse::kControl);
               !status.ok()) {
      context.findings.error(row.place("control_port"), status.message());
    }
    return;
  }
}

// True: the row belongs to this server. A row that names none is reported, once, as ignored.
bool belongs_to(ReadContext& context, const RowReader& row, std::string_view column, int64_t id) {
  const std::optional<int64_t> owner = row.reference(column);
  if (!owner) {
    context.findings.warn(row.place(column), "is not the id of a row; this row is ignored");
  }
  return owner == id;
}

// Columns of 2010 that configurations may set and nothing reads.
void warn_of_no_effect(ReadContext& context, const RowReader& row, std::string_view column) {
  const std::string value = row.peek(column);
  if (value.empty() || value == "0") return;
  context.findings.warn(row.place(column), "has no effect; write 0");
}

void load_hosts(ReadContext& context, int64_t server_id, Config& config) {
  RowReader row(context, kHostTable);
  while (row.next()) {
    if (!belongs_to(context, row, "server_id", server_id)) continue;
    HostRow host;
    host.id = row.id();
    host.name = row.text("name");
    host.matching = row.text("matching");
    warn_of_no_effect(context, row, "maintenance");
    if (host.matching.empty()) host.matching = host.name;
    config.hosts.push_back(std::move(host));
  }
}

std::optional<TargetKind> target_kind(std::string_view type) {
  if (type == "dir") return TargetKind::kDir;
  if (type == "proxy") return TargetKind::kProxy;
  if (type == "handler") return TargetKind::kHandler;
  return std::nullopt;
}

// A route that is wrong stays in the host: its other faults are found too.
std::vector<RouteTarget> load_routes(ReadContext& context, Config& config) {
  std::unordered_map<int64_t, size_t> hosts;  // by row id
  for (size_t at = 0; at < config.hosts.size(); ++at) hosts.try_emplace(config.hosts[at].id, at);
  std::vector<RouteTarget> wanted;
  RowReader row(context, kRouteTable);
  while (row.next()) {
    const std::optional<int64_t> host_id = row.reference("host_id");
    if (!host_id) {
      context.findings.warn(row.place("host_id"), "is not the id of a row; this row is ignored");
      continue;
    }
    const auto host = hosts.find(*host_id);
    if (host == hosts.end()) continue;
    std::vector<RouteRow>& routes = config.hosts[host->second].routes;
    RouteRow& route = routes.emplace_back();
    route.id = row.id();
    route.path = row.text("path");
    warn_of_no_effect(context, row, "reversed");
    route.timeout_ms = row.time_ms("timeout_ms");
    const std::optional<TargetKind> kind = target_kind(row.text("target_type"));
    const std::optional<int64_t> target = row.reference("target_id");
    if (!kind) {
      context.findings.error(row.place("target_type"), "must be \"handler\", \"proxy\" or \"dir\"");
    } else if (!target) {
      context.findings.error(row.place("target_id"), "must be the id of a row");
      route.kind = *kind;
    } else {
      route.kind = *kind;
      wanted.push_back({host->second, routes.size() - 1, *target});
    }
  }
  return wanted;
}

void choose_default_host(Config& config, Findings& findings) {
  const ServerRow& server = config.server;
  const auto named = [&](const HostRow& host) { return host.name == server.default_host; };
  const auto found = std::find_if(config.hosts.begin(), config.hosts.end(), named);
  config.default_host = static_cast<uint32_t>(found - config.hosts.begin());
  if (found != config.hosts.end()) return;
  std::string names;
  for (size_t at = 0; at < config.hosts.size() && at < 10; ++at) {
    names += (at > 0 ? ", " : "") + in_quotes(config.hosts[at].name);
  }
  findings.error(at_cell("server", server.id, "default_host", server.default_host),
                 names.empty() ? "the server has no hosts; add one with this name"
                               : "no host of the server has this name; write one of: " + names);
}

void report_modules(ReadContext& context, const Table& table, int64_t server_id) {
  RowReader row(context, table);
  while (row.next()) {
    if (row.reference("server_id") != server_id) continue;
    context.findings.warn(
        row.place("name"),
        "loadable modules of Mongrel2 1.x are not supported; this row is ignored");
  }
}

// None: what could be read is not worth checking, and a finding says why.
std::optional<Config> read_database(const std::string& db_path, const std::string& server,
                                    Findings& findings) {
  const Result<Database> database = Database::open(db_path, kBusyMs);
  if (!database.ok()) {
    findings.error(database.message());
    return std::nullopt;
  }
  ReadContext context{database.value(), findings};
  const std::optional<int64_t> id = select_server(context, server);
  if (!id) return std::nullopt;
  Config config;
  load_settings(context, config.settings);
  load_mimetypes(context, config);
  load_server(context, *id, config);
  load_listeners(context, *id, config);
  load_hosts(context, *id, config);
  load_targets(context, load_routes(context, config), config);
  report_modules(context, kFilterTable, *id);
  report_modules(context, kXrequestTable, *id);
  if (context.failed) return std::nullopt;
  return config;
}

}  // namespace

Loaded load_config(const std::string& db_path, const std::string& server, bool as_root) {
  Findings findings;
  // The transaction ends here: nobody who writes waits for our look-ups of names.
  std::optional<Config> config = read_database(db_path, server, findings);
  if (config) {
    choose_default_host(*config, findings);
    check_config(*config, as_root, findings);
    read_curve_keys(config->settings, config->curve, findings);
    read_ipc_access(config->settings, config->ipc, findings);
    check_places(*config, as_root, findings);
    check_upload_folder(*config, as_root, findings);
    if (struct stat file; ::stat(db_path.c_str(), &file) == 0) {
      config->database = {file.st_dev, file.st_ino};
    }
    check_exposure(*config, db_path, as_root, findings);
    if (!as_root) check_database_file(db_path, findings);
    resolve_proxies(*config, kResolveMs, findings);
  }
  if (findings.has_error()) config.reset();
  return {std::move(config), findings.take()};
}

}  // namespace m2
