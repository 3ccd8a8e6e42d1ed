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

class Targets final : public TargetSource, public HandlerReplies::Pairs {
 public:
  // All outlive it.
  Targets(Loop& loop, Deadlines& deadlines, HandlerLinks& links, Backends& backends,
          Uploads& uploads)
      : loop_(loop), deadlines_(deadlines), links_(links), uploads_(uploads), backends_(backends) {}

  // Before a generation is built from this configuration.
  void begin(const Config& config, uint32_t workers);

  Result<std::shared_ptr<Target>> directory(const DirRow& row,
                                            std::shared_ptr<const MimeTable> mime) override;
  Result<std::shared_ptr<Target>> proxy(const ProxyRow& row) override;
  Result<std::shared_ptr<Target>> handler(const HandlerRow& row) override;
  std::shared_ptr<HandlerNotices> notices_of(HandlerLink& link) override;

 private:
  Loop& loop_;
  Deadlines& deadlines_;
  HandlerLinks& links_;
  Uploads& uploads_;
  const Resolver resolver_ = best_resolver();
  const std::shared_ptr<FileCache> files_ = std::make_shared<FileCache>(FileCacheLimits());
  std::string charset_;
  FileIdentity database_;
  Backends& backends_;
  PoolLimits pool_limits_;
  ProxyLimits proxy_limits_;
  SendfilePlace sendfile_;
  struct Pair {
    std::weak_ptr<HandlerNotices> notices;
    std::weak_ptr<HandlerTarget> target;  // the latest
  };
  std::map<const HandlerLink*, Pair> pairs_;
};

}  // namespace m2
