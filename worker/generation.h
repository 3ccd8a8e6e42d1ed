// One configuration in use: hosts, routes, targets and limits, built from a Config, never changed
// afterwards. Exchanges keep the one they began with; it goes away with the last of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/model.h"
#include "common/ip_network.h"
#include "common/status.h"
#include "proto/http/mime.h"
#include "proto/http/request_parser.h"
#include "proto/route/route_map.h"
#include "worker/http/access_log_format.h"
#include "worker/target/target.h"
#include "worker/target/upload_limits.h"

namespace m2 {

struct Host;

struct Route {
  std::shared_ptr<Target> target;
  std::string pattern;  // as configured
  const Host* host = nullptr;
  uint32_t timeout_ms = kAsSetting;  // of its handlers' answers; else the pair's
};

struct Host {
  std::string name;
  RouteMap map;
  std::vector<Route> routes;
};

// Settings of WebSockets.
struct WebSocketLimits {
  uint64_t message_bytes = 0;
  uint32_t idle_ms = 0;
  uint32_t ping_ms = 0;
  uint32_t pong_ms = 0;
  uint32_t close_ms = 0;
  uint8_t deflate_bits = 0;  // 0: no compression
};

// Settings that every request looks at, copied out once.
struct Limits {
  ParserLimits parser;
  uint64_t content_length = 0;
  uint64_t handler_output_bytes = 0;
  uint32_t head_ms = 0;
  uint32_t body_ms = 0;
  uint32_t idle_ms = 0;
  uint32_t write_ms = 0;
  uint32_t min_read_rate = 0;   // bytes a second; 0: any
  uint32_t min_write_rate = 0;  // likewise
  uint32_t connections = 0;
  uint32_t connections_per_address = 0;  // 0: no limit
  uint32_t handler_targets = 0;
  bool flow_control = false;
  bool short_ids = false;
  bool pipelining = false;
  bool close_after_answer = true;
  bool keep_client_xff = false;
  bool request_ids = false;
  bool tcp_keepalive = false;
  UploadLimits uploads;
  WebSocketLimits websocket;
  explicit Limits(const Settings& settings);
};

// Whose word on other clients counts.
struct Trust {
  NetworkList proxy_protocol;
  NetworkList forwarded;
};

// Makes the targets of a generation, or finds those that an earlier one already has (targets.h).
class TargetSource {
 public:
  virtual Result<std::shared_ptr<Target>> directory(const DirRow& row,
                                                    std::shared_ptr<const MimeTable> mime) = 0;
  virtual Result<std::shared_ptr<Target>> proxy(const ProxyRow& row) = 0;
  virtual Result<std::shared_ptr<Target>> handler(const HandlerRow& row) = 0;

 protected:
  ~TargetSource() = default;
};

class Generation {
 public:
  static Result<std::shared_ptr<const Generation>> build(uint64_t number, const Config& config,
                                                         TargetSource& targets);

  // The host a Host value means: its own row, or the default host.
  const Host& host(std::string_view host_value) const;
  // nullptr: no route of this host matches.
  static const Route* route(const Host& host, std::string_view path);

  // The row of this handler pair; nullptr: it has none.
  const HandlerRow* handler(const std::string& send_spec, const std::string& recv_spec) const;

  uint64_t number() const { return number_; }
  const Limits& limits() const { return limits_; }
  const Trust& trust() const { return trust_; }
  uint32_t access_log_flush_ms() const { return access_log_flush_ms_; }
  bool access_logging() const { return access_logging_; }
  AccessLogForm access_log_form() const { return access_log_form_; }

 private:
  Generation(uint64_t number, const Settings& settings);

  uint64_t number_;
  Limits limits_;
  Trust trust_;
  uint32_t access_log_flush_ms_;
  bool access_logging_;
  AccessLogForm access_log_form_;
  std::map<std::pair<std::string, std::string>, HandlerRow> handlers_;  // by send_spec, recv_spec
  HostMap host_map_;
  std::vector<std::unique_ptr<Host>> hosts_;
  uint32_t default_host_ = 0;
};

}  // namespace m2
