#include "worker/target/targets.h"

#include "worker/target/directory.h"

namespace m2 {
namespace {

FolderSettings folder_settings(const DirRow& row, const std::string& charset) {
  return {.base = row.base,
          .index_file = row.index_file,
          .default_ctype = row.default_ctype,
          .charset = charset,
          .cache_ttl_s = row.cache_ttl_s,
          .precompressed = row.precompressed,
          .listing = row.listing};
}

}  // namespace

void Targets::begin(const Config& config, uint32_t workers) {
  const Settings& settings = config.settings;
  const auto number = [&settings](std::string_view key) {
    return static_cast<uint32_t>(settings.number(key));
  };
  files_->set_limits(
      {number("dir.cache_files"), static_cast<size_t>(settings.number("dir.cache_bytes"))});
  charset_ = settings.text("dir.charset");
  pool_limits_.connect_ms = number("proxy.connect_ms");
  pool_limits_.answer_ms = number("proxy.answer_ms");
  pool_limits_.idle_ms = number("proxy.idle_ms");
  pool_limits_.pool_max = number("proxy.pool");
  pool_limits_.connections_max = number("proxy.connections");
  proxy_limits_.tunnel_ms = number("proxy.tunnel_ms");
  proxy_limits_.via = settings.flag("proxy.via");
  proxy_limits_.balance.retry_percent = number("proxy.retry_percent");
  proxy_limits_.balance.health.eject_after = number("proxy.eject_after");
  proxy_limits_.balance.health.eject_ms = number("proxy.eject_ms");
  backends_.begin(number("proxy.resolve_ms"));
  links_.begin(workers, settings, config.curve);
  std::erase_if(writers_, [](const auto& item) { return item.second.expired(); });
}

Result<std::shared_ptr<Target>> Targets::directory(const DirRow& row,
                                                   std::shared_ptr<const MimeTable> mime) {
  return std::shared_ptr<Target>(std::make_shared<Directory>(loop_, folder_settings(row, charset_),
                                                             resolver_, files_, std::move(mime)));
}

Result<std::shared_ptr<Target>> Targets::proxy(const ProxyRow& row) {
  std::vector<std::shared_ptr<Backend>> backends;
  for (const BackendRow& each : row.backends) {
    backends.push_back(backends_.backend(each, pool_limits_));
  }
  return std::shared_ptr<Target>(
      std::make_shared<Proxy>(loop_, deadlines_, row, std::move(backends), proxy_limits_));
}

Result<std::shared_ptr<Target>> Targets::handler(const HandlerRow& row) {
  auto link = links_.link(row);
  if (!link.ok()) return std::move(link).status();
  // An unchanged row keeps its target: clients that its handlers know stay known.
  std::weak_ptr<HandlerTarget>& known = writers_[link.value().get()];
  std::shared_ptr<HandlerTarget> target = known.lock();
  if (target != nullptr && target->row() == row) return std::shared_ptr<Target>(std::move(target));
  target = std::make_shared<HandlerTarget>(row, std::move(link).value());
  known = target;
  return std::shared_ptr<Target>(std::move(target));
}

void Targets::unknown_client(HandlerLink& link, ConnectionId id) {
  const auto found = writers_.find(&link);
  if (found == writers_.end()) return;
  if (const auto target = found->second.lock()) target->client_left(id);
}

}  // namespace m2
