// Makes the targets of a generation out of its rows, with what they share in this worker.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/deadlines.h"
#include "worker/generation.h"
#include "worker/link/handler_links.h"
#include "worker/target/file_cache.h"
#include "worker/target/handler.h"
#include "worker/target/handler_replies.h"
#include "worker/target/open_beneath.h"
#include "worker/target/proxy.h"

namespace m2 {

class Targets final : public TargetSource, public HandlerReplies::Notices {
 public:
  // All outlive it.
  Targets(Loop& loop, Deadlines& deadlines, HandlerLinks& links, Backends& backends,
          Uploads& uploads)
      : loop_(loop), deadlines_(deadlines), links_(links), backends_(backends), uploads_(uploads) {}

  // Before a generation is built from this configuration.
  void begin(const Config& config, uint32_t workers);

  Result<std::shared_ptr<Target>> directory(const DirRow& row,
                                            std::shared_ptr<const MimeTable> mime) override;
  Result<std::shared_ptr<Target>> proxy(const ProxyRow& row) override;
  Result<std::shared_ptr<Target>> handler(const HandlerRow& row) override;
  void unknown_client(HandlerLink& link, ConnectionId id) override;

 private:
  Loop& loop_;
  Deadlines& deadlines_;
  HandlerLinks& links_;
  const Resolver resolver_ = best_resolver();
  const std::shared_ptr<FileCache> files_ = std::make_shared<FileCache>(FileCacheLimits());
  std::string charset_;
  Backends& backends_;
  Uploads& uploads_;
  PoolLimits pool_limits_;
  ProxyLimits proxy_limits_;
  // Who writes notices for ids that nobody here has: the latest row of each pair.
  std::map<const HandlerLink*, std::weak_ptr<HandlerTarget>> writers_;
};

}  // namespace m2
