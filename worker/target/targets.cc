#include "worker/target/targets.h"

#include "worker/target/directory.h"

namespace m2 {

void Targets::begin(const Config& config, uint32_t workers) {
  const Settings& settings = config.settings;
  const auto number = [&settings](std::string_view key) {
    return static_cast<uint32_t>(settings.number(key));
  };
  file_limits_.files = number("dir.cache_files");
  file_limits_.bytes = static_cast<size_t>(settings.number("dir.cache_bytes"));
  proxy_limits_.connect_ms = number("proxy.connect_ms");
  proxy_limits_.answer_ms = number("proxy.answer_ms");
  proxy_limits_.idle_ms = number("proxy.idle_ms");
  proxy_limits_.pool_max = number("proxy.pool");
  links_.begin(workers, settings);
  sendfile_base_ = settings.text("handler.sendfile");
  std::erase_if(pairs_, [](const auto& item) { return item.second.notices.expired(); });
}

Result<std::shared_ptr<Target>> Targets::directory(const DirRow& row,
                                                   std::shared_ptr<const MimeTable> mime) {
  return std::shared_ptr<Target>(
      std::make_shared<Directory>(loop_, row, file_limits_, std::move(mime)));
}

Result<std::shared_ptr<Target>> Targets::proxy(const ProxyRow& row) {
  return std::shared_ptr<Target>(std::make_shared<Proxy>(loop_, deadlines_, row, proxy_limits_));
}

Result<std::shared_ptr<Target>> Targets::handler(const HandlerRow& row) {
  auto link = links_.link(row);
  if (!link.ok()) return std::move(link).status();
  // An unchanged row keeps its target: clients that its handlers know stay known.
  Pair& pair = pairs_[link.value().get()];
  std::shared_ptr<HandlerTarget> target = pair.target.lock();
  if (target != nullptr && target->row() == row && target->sendfile_base() == sendfile_base_) {
    return std::shared_ptr<Target>(std::move(target));
  }
  std::shared_ptr<HandlerNotices> notices = pair.notices.lock();
  if (notices == nullptr) {
    notices = std::make_shared<HandlerNotices>(loop_, std::move(link).value(), row);
    pair.notices = notices;
  }
  target = std::make_shared<HandlerTarget>(row, std::move(notices), sendfile_base_);
  pair.target = target;
  return std::shared_ptr<Target>(std::move(target));
}

std::shared_ptr<HandlerNotices> Targets::notices_of(HandlerLink& link) {
  const auto found = pairs_.find(&link);
  return found == pairs_.end() ? nullptr : found->second.notices.lock();
}

}  // namespace m2
