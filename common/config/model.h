// The model of one configuration: plain structs, filled from the database by master/store, carried
// to the children as an image (image.h). Names are those of the tables of Mongrel2 1.x. Everything
// in a Config has been checked: who reads one need not check again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/settings.h"

namespace m2 {

enum class TargetKind : uint8_t { kDir, kProxy, kHandler };
// handler.replies: on what socket answers come. kNone: none; another pair's handlers answer.
enum class Replies : uint8_t { kSub, kPull, kNone };
enum class HeaderFormat : uint8_t { kJson, kTnetstring };  // handler.protocol
// handler.websocket: the handler sees and writes frames, or whole messages (docs/websockets.md).
enum class WebSocketContract : uint8_t { kFrames, kMessages };

enum class SlowClients : uint8_t { kClose, kDropNewest, kDropOldest };  // handler.slow_clients

struct DirRow {
  int64_t id = 0;
  std::string base;  // relative to the chroot; ends in '/'
  std::string index_file;
  std::string default_ctype;
  uint32_t cache_ttl_s = 0;
  bool listing = false;        // folders without an index file are listed
  bool precompressed = false;  // FILE.br, .zst and .gz stand for FILE
  bool operator==(const DirRow&) const = default;
};

// One server of a Proxy.
struct BackendRow {
  std::string host;  // a name, or a numeric address without brackets
  uint16_t port = 0;
  // Numeric, resolved outside the jail; none while the name has no address.
  std::vector<std::string> addresses;
  bool operator==(const BackendRow&) const = default;
};

enum class Balance : uint8_t { kRoundRobin, kLeastConnections };  // proxy.balance
inline constexpr size_t kBackendsMax = 64;                        // of one Proxy

struct ProxyRow {
  int64_t id = 0;
  std::string addr;  // as written: hosts, each with its port or the row's
  uint16_t port = 0;
  std::vector<BackendRow> backends;  // in order, 1 to kBackendsMax
  Balance balance = Balance::kRoundRobin;
  bool operator==(const ProxyRow&) const = default;
};

// A time of a handler or route that is that of the setting.
inline constexpr uint32_t kAsSetting = UINT32_MAX;

struct HandlerRow {
  int64_t id = 0;
  std::string send_spec;
  std::string send_ident;
  std::string recv_spec;
  std::string recv_ident;
  bool raw_payload = false;
  HeaderFormat protocol = HeaderFormat::kJson;
  SlowClients slow_clients = SlowClients::kClose;
  Replies replies = Replies::kSub;
  WebSocketContract websocket = WebSocketContract::kFrames;
  uint32_t timeout_ms = kAsSetting;  // handler.timeout
  uint32_t grace_ms = kAsSetting;    // handler.grace_ms
  bool operator==(const HandlerRow&) const = default;
};

struct RouteRow {
  int64_t id = 0;
  std::string path;  // literal prefix, then an optional pattern from the first '(' on
  TargetKind kind = TargetKind::kDir;
  uint32_t target = 0;               // index into Config::dirs, proxies or handlers
  uint32_t timeout_ms = kAsSetting;  // of handlers: before that of the pair
};

struct HostRow {
  int64_t id = 0;
  std::string name;
  std::string matching;  // suffix pattern for the Host header
  std::vector<RouteRow> routes;
};

struct MimeRow {
  std::string extension;  // lower case, with its leading dot
  std::string type;
};

// One more place where clients come in, beside bind_addr and port of the server.
struct ListenerRow {
  int64_t id = 0;
  std::string address;  // numeric IPv4 or IPv6, or "unix:PATH"
  uint16_t port = 0;    // 0 with unix:
  bool proxy_protocol = false;
  uint16_t mode = 0660;  // of a unix socket's file
  bool operator==(const ListenerRow&) const = default;
};

struct ServerRow {
  int64_t id = 0;
  std::string uuid;
  std::string name;
  std::string access_log;  // relative to the chroot, conventionally with a leading '/'
  std::string error_log;
  std::string chroot;
  std::string pid_file;
  std::string default_host;
  std::string bind_addr;  // numeric IPv4 or IPv6
  uint16_t port = 0;
  std::string control_port;  // endpoint; "" means none
  int error_log_level = 2;
  bool proxy_protocol = false;  // on bind_addr and port
};

// CURVE on tcp endpoints of handlers (curve.key_file, curve.clients_file): keys as 40 characters.
struct CurveKeys {
  std::string secret;                // of the server; "": no CURVE
  std::vector<std::string> clients;  // public keys of who may connect
  bool operator==(const CurveKeys&) const = default;
};

// Permissions and owner of the files of ipc endpoints. Only the plan has them, not the image.
struct IpcAccess {
  static constexpr uint32_t kSame = UINT32_MAX;  // whoever makes the file
  uint32_t mode = 0660;
  uint32_t uid = kSame;
  uint32_t gid = kSame;
  bool operator==(const IpcAccess&) const = default;
};

// Which file it is, by whatever name. Nothing: no file.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

struct Config {
  ServerRow server;
  std::vector<ListenerRow> listeners;
  std::vector<HostRow> hosts;
  uint32_t default_host = 0;  // index into hosts
  std::vector<DirRow> dirs;
  std::vector<ProxyRow> proxies;
  std::vector<HandlerRow> handlers;
  std::vector<MimeRow> mimetypes;
  CurveKeys curve;
  IpcAccess ipc;
  FileIdentity database;  // where all this was read; no Dir ever serves it
  Settings settings;
};

}  // namespace m2
