#include "worker/target/targets.h"

#include "worker/target/directory.h"
#include "worker/target/upload.h"

namespace m2 {
namespace {

FolderSettings folder_settings(const DirRow& row, const std::string& charset,
                               const FileIdentity& database) {
  return {.base = row.base,
          .index_file = row.index_file,
          .default_ctype = row.default_ctype,
          .charset = charset,
          .cache_ttl_s = row.cache_ttl_s,
          .precompressed = row.precompressed,
          .listing = row.listing,
          .database = database};
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
  database_ = config.database;
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
  uploads_.prepare(UploadLimits(settings));
  sendfile_ = {settings.text("handler.sendfile"), resolver_};
  if (!sendfile_.base.empty() && !sendfile_.base.ends_with('/')) sendfile_.base += '/';
  std::erase_if(pairs_, [](const auto& item) { return item.second.notices.expired(); });
}

Result<std::shared_ptr<Target>> Targets::directory(const DirRow& row,
                                                   std::shared_ptr<const MimeTable> mime) {
  return std::shared_ptr<Target>(std::make_shared<Directory>(
      loop_, folder_settings(row, charset_, database_), resolver_, files_, std::move(mime)));
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
  Pair& pair = pairs_[link.value().get()];
  std::shared_ptr<HandlerTarget> target = pair.target.lock();
  if (target != nullptr && target->row() == row && target->sendfile() == sendfile_) {
    return std::shared_ptr<Target>(std::move(target));
  }
  std::shared_ptr<HandlerNotices> notices = pair.notices.lock();
  if (notices == nullptr) {
    notices = std::make_shared<HandlerNotices>(std::move(link).value(), row);
    pair.notices = notices;
  }
  target = std::make_shared<HandlerTarget>(row, std::move(notices), sendfile_, uploads_);
  pair.target = target;
  return std::shared_ptr<Target>(std::move(target));
}

std::shared_ptr<HandlerNotices> Targets::notices_of(HandlerLink& link) {
  const auto found = pairs_.find(&link);
  return found == pairs_.end() ? nullptr : found->second.notices.lock();
}

}  // namespace m2
