#include "worker/generation.h"

namespace m2 {
namespace {

uint32_t number32(const Settings& settings, std::string_view key) {
  return static_cast<uint32_t>(settings.number(key));
}

Status read_trust(const Settings& settings, Trust& trust) {
  Result<NetworkList> proxy_protocol = NetworkList::parse(settings.text("proxy_protocol.trusted"));
  if (!proxy_protocol.ok()) return std::move(proxy_protocol).status();
  Result<NetworkList> forwarded = NetworkList::parse(settings.text("forwarded.trusted"));
  if (!forwarded.ok()) return std::move(forwarded).status();
  trust = {std::move(proxy_protocol).value(), std::move(forwarded).value()};
  return {};
}

// One target object for each row, however many routes lead to it.
Result<std::vector<std::shared_ptr<Target>>> make_targets(const Config& config, TargetKind kind,
                                                          TargetSource& source) {
  auto mime = std::make_shared<MimeTable>();
  if (kind == TargetKind::kDir) {
    for (const MimeRow& row : config.mimetypes) mime->add(row.extension, row.type);
  }
  std::vector<std::shared_ptr<Target>> made;
  const auto keep = [&made](Result<std::shared_ptr<Target>> target) -> Status {
    if (!target.ok()) return std::move(target).status();
    made.push_back(std::move(target).value());
    return {};
  };
  Status status;
  switch (kind) {
    case TargetKind::kDir:
      for (const DirRow& row : config.dirs) {
        status = keep(source.directory(row, mime));
        if (!status.ok()) return std::move(status).in("directory row " + std::to_string(row.id));
      }
      break;
    case TargetKind::kProxy:
      for (const ProxyRow& row : config.proxies) {
        status = keep(source.proxy(row));
        if (!status.ok()) return std::move(status).in("proxy row " + std::to_string(row.id));
      }
      break;
    case TargetKind::kHandler:
      for (const HandlerRow& row : config.handlers) {
        status = keep(source.handler(row));
        if (!status.ok()) return std::move(status).in("handler row " + std::to_string(row.id));
      }
      break;
  }
  return made;
}

}  // namespace

Limits::Limits(const Settings& settings)
    : content_length(static_cast<uint64_t>(settings.number("limits.content_length"))),
      handler_output_bytes(static_cast<uint64_t>(settings.number("handler.output_bytes"))),
      head_ms(number32(settings, "limits.head_ms")),
      body_ms(number32(settings, "limits.body_ms")),
      idle_ms(number32(settings, "limits.idle_ms")),
      write_ms(number32(settings, "limits.write_ms")),
      min_read_rate(number32(settings, "limits.min_read_rate")),
      min_write_rate(number32(settings, "limits.min_write_rate")),
      connections(number32(settings, "limits.connections")),
      connections_per_address(number32(settings, "limits.connections_per_address")),
      handler_targets(number32(settings, "limits.handler_targets")),
      flow_control(settings.flag("download.flow_control")),
      short_ids(settings.number("ids.bits") < 53),
      pipelining(settings.flag("pipelining")),
      close_after_answer(settings.flag("close_after_answer")),
      keep_client_xff(settings.flag("no_clobber_xff")),
      request_ids(settings.flag("request.id")),
      tcp_keepalive(settings.flag("net.tcp_keepalive")),
      uploads(settings) {
  parser.head_bytes = number32(settings, "limits.buffer_size");
  parser.header_count = number32(settings, "limits.header_count");
  parser.path_bytes = number32(settings, "limits.url_path");
  parser.relaxed = settings.flag("request.relaxed");
  websocket.message_bytes = static_cast<uint64_t>(settings.number("websocket.message_bytes"));
  websocket.idle_ms = number32(settings, "websocket.idle_ms");
  websocket.ping_ms = number32(settings, "websocket.ping_ms");
  websocket.pong_ms = number32(settings, "websocket.pong_ms");
  websocket.close_ms = number32(settings, "websocket.close_ms");
  if (settings.flag("websocket.deflate")) {
    websocket.deflate_bits = static_cast<uint8_t>(settings.number("websocket.deflate_bits"));
  }
}

Generation::Generation(uint64_t number, const Settings& settings)
    : number_(number),
      limits_(settings),
      access_log_flush_ms_(number32(settings, "access_log.flush_ms")),
      access_logging_(!settings.flag("disable.access_logging")),
      access_log_form_(m2::access_log_form(settings.text("access_log.format"))) {}

Result<std::shared_ptr<const Generation>> Generation::build(uint64_t number, const Config& config,
                                                            TargetSource& source) {
  std::shared_ptr<Generation> generation(new Generation(number, config.settings));
  if (Status read = read_trust(config.settings, generation->trust_); !read.ok()) return read;
  std::vector<std::shared_ptr<Target>> targets[3];
  for (TargetKind kind : {TargetKind::kDir, TargetKind::kProxy, TargetKind::kHandler}) {
    auto made = make_targets(config, kind, source);
    if (!made.ok()) return std::move(made).status();
    targets[static_cast<size_t>(kind)] = std::move(made).value();
  }
  for (const HandlerRow& row : config.handlers) {
    generation->handlers_.try_emplace({row.send_spec, row.recv_spec}, row);
  }
  for (const HostRow& row : config.hosts) {
    auto host = std::make_unique<Host>();
    host->name = row.name;
    host->routes.reserve(row.routes.size());
    for (const RouteRow& route : row.routes) {
      Status added = host->map.add(route.path, static_cast<uint32_t>(host->routes.size()));
      if (!added.ok()) return std::move(added).in("route row " + std::to_string(route.id));
      host->routes.push_back({targets[static_cast<size_t>(route.kind)].at(route.target), route.path,
                              host.get(), route.timeout_ms});
    }
    Status added =
        generation->host_map_.add(row.matching, static_cast<uint32_t>(generation->hosts_.size()));
    if (!added.ok()) return std::move(added).in("host row " + std::to_string(row.id));
    generation->hosts_.push_back(std::move(host));
  }
  if (generation->hosts_.empty()) return Status::error("a server without hosts serves nothing");
  generation->default_host_ = config.default_host;
  return std::shared_ptr<const Generation>(std::move(generation));
}

const Host& Generation::host(std::string_view host_value) const {
  const uint32_t found = host_map_.find(host_value);
  return *hosts_[found == HostMap::kNone ? default_host_ : found];
}

const HandlerRow* Generation::handler(const std::string& send_spec,
                                      const std::string& recv_spec) const {
  const auto found = handlers_.find({send_spec, recv_spec});
  return found == handlers_.end() ? nullptr : &found->second;
}

const Route* Generation::route(const Host& host, std::string_view path) {
  const uint32_t found = host.map.find(path);
  return found == RouteMap::kNone ? nullptr : &host.routes[found];
}

}  // namespace m2
