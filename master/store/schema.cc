// The schema as data.
#include "master/store/schema.h"

namespace m2 {
namespace {

constexpr Column number(std::string_view name, std::string_view fallback) {
  return {name, ColumnKind::kNumber, fallback, true};
}

constexpr Column text(std::string_view name, std::string_view fallback = "") {
  return {name, ColumnKind::kText, fallback, true};
}

// A column that came after 2010, or that 2010 did not need.
constexpr Column later(Column column) {
  column.since_2010 = false;
  return column;
}

// "": a number that has no default must be set.
constexpr std::string_view kNone;
// A time that a setting has for all.
constexpr std::string_view kOfSetting = "-1";

constexpr Column kServer[] = {
    number("id", kNone),
    text("uuid"),
    text("access_log"),
    text("error_log"),
    later(number("error_log_level", "2")),
    text("chroot", "/var/www"),
    text("pid_file"),
    later(text("control_port")),
    text("default_host"),
    later(text("name")),
    later(text("bind_addr", "0.0.0.0")),
    number("port", kNone),
    later(number("use_ssl", "0")),
    later(number("proxy_protocol", "0")),
};

constexpr Column kListener[] = {
    number("id", kNone),        number("server_id", kNone),           text("address"),
    later(number("port", "0")), later(number("proxy_protocol", "0")), later(text("mode", "0660")),
};

constexpr Column kHost[] = {
    number("id", kNone), number("server_id", kNone),        text("name"),
    text("matching"),    later(number("maintenance", "0")),
};

constexpr Column kRoute[] = {
    number("id", kNone),
    text("path"),
    number("host_id", kNone),
    number("target_id", kNone),
    text("target_type"),
    later(number("reversed", "0")),
    later(number("timeout_ms", kOfSetting)),
};

constexpr Column kDirectory[] = {
    number("id", kNone),
    text("base"),
    text("index_file"),
    text("default_ctype", "text/plain"),
    later(number("cache_ttl", "0")),
    later(number("listing", "0")),
    later(number("precompressed", "0")),
};

constexpr Column kProxy[] = {
    number("id", kNone),
    text("addr"),
    number("port", kNone),
    later(text("balance", "round_robin")),
};

constexpr Column kHandler[] = {
    number("id", kNone),
    text("send_spec"),
    text("send_ident"),
    text("recv_spec"),
    text("recv_ident"),
    later(number("raw_payload", "0")),
    later(text("protocol", "json")),
    later(text("slow_clients", "close")),
    later(text("replies", "sub")),
    later(text("websocket", "frames")),
    later(number("timeout_ms", kOfSetting)),
    later(number("grace_ms", kOfSetting)),
};

constexpr Column kSetting[] = {number("id", kNone), text("key"), text("value")};

constexpr Column kMimetype[] = {number("id", kNone), text("mimetype"), text("extension")};

constexpr Column kModule[] = {number("id", kNone), number("server_id", kNone), text("name")};

}  // namespace

const Table kServerTable = {"server", true, kServer};
const Table kListenerTable = {"listener", false, kListener};
const Table kHostTable = {"host", true, kHost};
const Table kRouteTable = {"route", true, kRoute};
const Table kDirectoryTable = {"directory", true, kDirectory};
const Table kProxyTable = {"proxy", true, kProxy};
const Table kHandlerTable = {"handler", true, kHandler};
const Table kSettingTable = {"setting", true, kSetting};
const Table kMimetypeTable = {"mimetype", true, kMimetype};
const Table kFilterTable = {"filter", false, kModule};
const Table kXrequestTable = {"xrequest", false, kModule};

}  // namespace m2
