// Both directions of an image, side by side: write_X and read_X name the same members in the same
// order. Reading checks form, bounds and references between rows, so that damaged bytes are an
// error and never a wild index; what the rows mean was checked before the image was written.
#include "common/config/image.h"

#include "common/check.h"
#include "common/config/json_members.h"
#include "common/json_writer.h"

namespace m2 {
namespace {

using simdjson::dom::element;

constexpr int64_t kFormat = 1;
constexpr std::string_view kKinds[] = {"dir", "proxy", "handler"};              // by TargetKind
constexpr std::string_view kBalances[] = {"round_robin", "least_connections"};  // by Balance
constexpr std::string_view kFormats[] = {"json", "tnetstring"};                 // by HeaderFormat
constexpr std::string_view kSlowClients[] = {"close", "drop_newest", "drop_oldest"};
constexpr std::string_view kReplies[] = {"sub", "pull", "none"};   // by Replies
constexpr std::string_view kContracts[] = {"frames", "messages"};  // by WebSocketContract

// ---- writing

void put(JsonWriter& json, std::string_view key, std::string_view value) {
  json.key(key);
  json.text(value);
}

void put(JsonWriter& json, std::string_view key, int64_t value) {
  json.key(key);
  json.number(value);
}

void put_flag(JsonWriter& json, std::string_view key, bool value) {
  json.key(key);
  json.boolean(value);
}

template <typename Rows, typename WriteRow>
void put_rows(JsonWriter& json, std::string_view key, const Rows& rows, WriteRow write_row) {
  json.key(key);
  json.begin_array();
  for (const auto& row : rows) {
    json.begin_object();
    write_row(json, row);
    json.end_object();
  }
  json.end_array();
}

void write_server(JsonWriter& json, const ServerRow& row) {
  put(json, "id", row.id);
  put(json, "uuid", row.uuid);
  put(json, "name", row.name);
  put(json, "access_log", row.access_log);
  put(json, "error_log", row.error_log);
  put(json, "chroot", row.chroot);
  put(json, "pid_file", row.pid_file);
  put(json, "default_host", row.default_host);
  put(json, "bind_addr", row.bind_addr);
  put(json, "port", row.port);
  put(json, "control_port", row.control_port);
  put(json, "error_log_level", row.error_log_level);
  json.key("proxy_protocol");
  json.boolean(row.proxy_protocol);
}

void write_listener(JsonWriter& json, const ListenerRow& row) {
  put(json, "id", row.id);
  put(json, "address", row.address);
  put(json, "port", row.port);
  json.key("proxy_protocol");
  json.boolean(row.proxy_protocol);
  put(json, "mode", row.mode);
}

void write_route(JsonWriter& json, const RouteRow& row) {
  put(json, "id", row.id);
  put(json, "path", row.path);
  put(json, "kind", kKinds[static_cast<size_t>(row.kind)]);
  put(json, "target", row.target);
  put(json, "timeout_ms", row.timeout_ms);
}

void write_host(JsonWriter& json, const HostRow& row) {
  put(json, "id", row.id);
  put(json, "name", row.name);
  put(json, "matching", row.matching);
  put_rows(json, "routes", row.routes, write_route);
}

void write_dir(JsonWriter& json, const DirRow& row) {
  put(json, "id", row.id);
  put(json, "base", row.base);
  put(json, "index_file", row.index_file);
  put(json, "default_ctype", row.default_ctype);
  put(json, "cache_ttl_s", row.cache_ttl_s);
  put_flag(json, "listing", row.listing);
  put_flag(json, "precompressed", row.precompressed);
}

void write_backend(JsonWriter& json, const BackendRow& row) {
  put(json, "host", row.host);
  put(json, "port", row.port);
  json.key("addresses");
  json.begin_array();
  for (const std::string& address : row.addresses) json.text(address);
  json.end_array();
}

void write_proxy(JsonWriter& json, const ProxyRow& row) {
  put(json, "id", row.id);
  put(json, "addr", row.addr);
  put(json, "port", row.port);
  put_rows(json, "backends", row.backends, write_backend);
  put(json, "balance", kBalances[static_cast<size_t>(row.balance)]);
}

void write_handler(JsonWriter& json, const HandlerRow& row) {
  put(json, "id", row.id);
  put(json, "send_spec", row.send_spec);
  put(json, "send_ident", row.send_ident);
  put(json, "recv_spec", row.recv_spec);
  put(json, "recv_ident", row.recv_ident);
  put_flag(json, "raw_payload", row.raw_payload);
  put(json, "protocol", kFormats[static_cast<size_t>(row.protocol)]);
  put(json, "slow_clients", kSlowClients[static_cast<size_t>(row.slow_clients)]);
  put(json, "replies", kReplies[static_cast<size_t>(row.replies)]);
  put(json, "websocket", kContracts[static_cast<size_t>(row.websocket)]);
  put(json, "timeout_ms", row.timeout_ms);
  put(json, "grace_ms", row.grace_ms);
}

void write_mimetype(JsonWriter& json, const MimeRow& row) {
  put(json, "extension", row.extension);
  put(json, "type", row.type);
}

void write_settings(JsonWriter& json, const Settings& settings) {
  json.key("settings");
  json.begin_object();
  for (const SettingSpec& spec : setting_specs()) {  // the table's order, not the hash's
    const auto found = settings.explicit_values().find(std::string(spec.key));
    if (found != settings.explicit_values().end()) put(json, found->first, found->second);
  }
  json.end_object();
}

// About what the bytes will be, so that a large configuration is not copied again and again.
size_t expected_bytes(const Config& config) {
  size_t routes = 0;
  for (const HostRow& host : config.hosts) routes += host.routes.size();
  return 4096 + 128 * (config.hosts.size() + routes + config.mimetypes.size()) +
         256 * (config.dirs.size() + config.proxies.size() + config.handlers.size());
}

// ---- reading

ServerRow read_server(element from, Status& status) {
  Members members(from, "server", status);
  ServerRow row;
  row.id = members.number<int64_t>("id");
  row.uuid = members.text("uuid");
  row.name = members.text("name");
  row.access_log = members.text("access_log");
  row.error_log = members.text("error_log");
  row.chroot = members.text("chroot");
  row.pid_file = members.text("pid_file");
  row.default_host = members.text("default_host");
  row.bind_addr = members.text("bind_addr");
  row.port = members.number<uint16_t>("port");
  row.control_port = members.text("control_port");
  row.error_log_level = members.number<int>("error_log_level", 0, 3);
  row.proxy_protocol = members.boolean("proxy_protocol");
  return row;
}

ListenerRow read_listener(element from, Status& status) {
  Members members(from, "listener", status);
  ListenerRow row;
  row.id = members.number<int64_t>("id");
  row.address = members.text("address");
  row.port = members.number<uint16_t>("port");
  row.proxy_protocol = members.boolean("proxy_protocol");
  row.mode = members.number<uint16_t>("mode", 0, 0777);
  return row;
}

RouteRow read_route(element from, Status& status) {
  Members members(from, "route", status);
  RouteRow row;
  row.id = members.number<int64_t>("id");
  row.path = members.text("path");
  row.kind = static_cast<TargetKind>(members.choice("kind", kKinds));
  row.target = members.number<uint32_t>("target");
  row.timeout_ms = members.number<uint32_t>("timeout_ms");
  return row;
}

HostRow read_host(element from, Status& status) {
  Members members(from, "host", status);
  HostRow row;
  row.id = members.number<int64_t>("id");
  row.name = members.text("name");
  row.matching = members.text("matching");
  row.routes = members.rows("routes", read_route);
  return row;
}

DirRow read_dir(element from, Status& status) {
  Members members(from, "directory", status);
  DirRow row;
  row.id = members.number<int64_t>("id");
  row.base = members.text("base");
  row.index_file = members.text("index_file");
  row.default_ctype = members.text("default_ctype");
  row.cache_ttl_s = members.number<uint32_t>("cache_ttl_s");
  row.listing = members.boolean("listing");
  row.precompressed = members.boolean("precompressed");
  return row;
}

std::string read_address(element from, Status& status) {
  std::string_view text;
  if (from.get(text) != simdjson::SUCCESS) status = Status::error("image, proxy: bad address");
  return std::string(text);
}

BackendRow read_backend(element from, Status& status) {
  Members members(from, "backend", status);
  BackendRow row;
  row.host = members.text("host");
  row.port = members.number<uint16_t>("port");
  row.addresses = members.rows("addresses", read_address);
  return row;
}

ProxyRow read_proxy(element from, Status& status) {
  Members members(from, "proxy", status);
  ProxyRow row;
  row.id = members.number<int64_t>("id");
  row.addr = members.text("addr");
  row.port = members.number<uint16_t>("port");
  row.backends = members.rows("backends", read_backend);
  row.balance = static_cast<Balance>(members.choice("balance", kBalances));
  return row;
}

HandlerRow read_handler(element from, Status& status) {
  Members members(from, "handler", status);
  HandlerRow row;
  row.id = members.number<int64_t>("id");
  row.send_spec = members.text("send_spec");
  row.send_ident = members.text("send_ident");
  row.recv_spec = members.text("recv_spec");
  row.recv_ident = members.text("recv_ident");
  row.raw_payload = members.boolean("raw_payload");
  row.protocol = static_cast<HeaderFormat>(members.choice("protocol", kFormats));
  row.slow_clients = static_cast<SlowClients>(members.choice("slow_clients", kSlowClients));
  row.replies = static_cast<Replies>(members.choice("replies", kReplies));
  row.websocket = static_cast<WebSocketContract>(members.choice("websocket", kContracts));
  row.timeout_ms = members.number<uint32_t>("timeout_ms");
  row.grace_ms = members.number<uint32_t>("grace_ms");
  return row;
}

MimeRow read_mimetype(element from, Status& status) {
  Members members(from, "mimetype", status);
  MimeRow row;
  row.extension = members.text("extension");
  row.type = members.text("type");
  return row;
}

Settings read_settings(element from, Status& status) {
  Settings settings;
  if (!status.ok()) return settings;  // from may be nothing at all
  simdjson::dom::object entries;
  if (from.get(entries) != simdjson::SUCCESS) {
    status = Status::error("image: settings is not an object");
    return settings;
  }
  for (const auto entry : entries) {
    std::string_view value;
    if (entry.value.get(value) != simdjson::SUCCESS) {
      status = Status::error("image: setting " + std::string(entry.key) + " is not text");
      return settings;
    }
    status = settings.set(entry.key, value).in("image");
    if (!status.ok()) return settings;
  }
  return settings;
}

size_t target_count(const Config& config, TargetKind kind) {
  switch (kind) {
    case TargetKind::kDir:
      return config.dirs.size();
    case TargetKind::kProxy:
      return config.proxies.size();
    case TargetKind::kHandler:
      return config.handlers.size();
  }
  return 0;
}

Status check_references(const Config& config) {
  if (config.default_host >= config.hosts.size()) {
    return Status::error("image: default_host names no host");
  }
  for (const HostRow& host : config.hosts) {
    for (const RouteRow& route : host.routes) {
      if (route.target >= target_count(config, route.kind)) {
        return Status::error("image: route " + std::to_string(route.id) + " names no target");
      }
    }
  }
  return {};
}

}  // namespace

std::string write_image(const Config& config) {
  JsonWriter json(expected_bytes(config));
  json.begin_object();
  put(json, "format", kFormat);
  json.key("server");
  json.begin_object();
  write_server(json, config.server);
  json.end_object();
  put_rows(json, "listeners", config.listeners, write_listener);
  put_rows(json, "hosts", config.hosts, write_host);
  put(json, "default_host", config.default_host);
  put_rows(json, "dirs", config.dirs, write_dir);
  put_rows(json, "proxies", config.proxies, write_proxy);
  put_rows(json, "handlers", config.handlers, write_handler);
  put_rows(json, "mimetypes", config.mimetypes, write_mimetype);
  put(json, "curve_secret", config.curve.secret);
  json.key("curve_clients");
  json.begin_array();
  for (const std::string& key : config.curve.clients) json.text(key);
  json.end_array();
  put(json, "database_device", static_cast<int64_t>(config.database.device));
  put(json, "database_inode", static_cast<int64_t>(config.database.inode));
  write_settings(json, config.settings);
  json.end_object();
  return json.take();
}

Result<Config> read_image(std::string_view bytes) {
  simdjson::dom::parser parser;
  element document;
  const auto parsed = parser.parse(bytes.data(), bytes.size()).get(document);
  if (parsed != simdjson::SUCCESS) {
    return Status::error(std::string("image: ") + simdjson::error_message(parsed));
  }
  Status status;
  Config config;
  Members members(document, "document", status);
  members.number<int64_t>("format", kFormat, kFormat);
  config.server = read_server(members.member("server"), status);
  config.listeners = members.rows("listeners", read_listener);
  config.hosts = members.rows("hosts", read_host);
  config.default_host = members.number<uint32_t>("default_host");
  config.dirs = members.rows("dirs", read_dir);
  config.proxies = members.rows("proxies", read_proxy);
  config.handlers = members.rows("handlers", read_handler);
  config.mimetypes = members.rows("mimetypes", read_mimetype);
  config.curve.secret = members.text("curve_secret");
  config.curve.clients = members.rows("curve_clients", read_address);
  config.database.device = static_cast<uint64_t>(members.number<int64_t>("database_device"));
  config.database.inode = static_cast<uint64_t>(members.number<int64_t>("database_inode"));
  config.settings = read_settings(members.member("settings"), status);
  if (status.ok()) status = check_references(config);
  if (!status.ok()) return status;
  return config;
}

}  // namespace m2
