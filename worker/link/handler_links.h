// The handler links of one worker, kept over reloads: a pair that two generations name stays bound
// and connected. Decides where a pair binds: on its own endpoints, or behind the relay.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "worker/link/handler_link.h"
#include "worker/link/socket_settings.h"
#include "worker/link/told_table.h"
#include "worker/link/zap_handler.h"
#include "worker/link/zmq_context.h"

namespace m2 {

class HandlerLinks {
 public:
  struct Place {  // of this worker
    std::string run_directory;
    unsigned slot = 0;
    uint64_t incarnation = 0;
  };
  // loop and user outlive it.
  // told: what the worker in this place left behind, and what this one will.
  HandlerLinks(Loop& loop, HandlerLinkUser& user, Place place, const OwnedFd& told);
  ~HandlerLinks();

  // A listening socket from the master, under zmq_key(endpoint).
  void offer(const std::string& key, OwnedFd socket);

  // Keys, one a line, of endpoints that the handlers of another server have yet; and of those that
  // it has left.
  void hold(std::string_view keys);
  void listen(std::string_view keys);
  // Of the generation in use.
  std::vector<std::shared_ptr<HandlerLink>> all() const;

  // From the first begin() on.
  ZmqContext& context() { return *context_; }

  // One generation being built: begin, a link for each row, then commit or abort.
  // curve: for endpoints on tcp; who may connect changes at the commit.
  void begin(uint32_t workers, const Settings& settings, const CurveKeys& curve);
  Result<std::shared_ptr<HandlerLink>> link(const HandlerRow& row);
  // Subscriptions change to those of the new generation; pairs it does not name take no new
  // handlers.
  void commit();
  void abort();

 private:
  struct Entry {
    std::weak_ptr<HandlerLink> link;
    bool wanted = false;   // by the generation being built
    bool removed = false;  // from the one in use; answers are still due
    unsigned returns = 0;  // how often it came back since the link was opened
  };
  Status take_up(Entry& entry, const std::shared_ptr<HandlerLink>& link, const HandlerRow& row);
  void open_zap();
  std::string key_of(const HandlerRow& row) const;
  HandlerLinkOptions options_for(const HandlerRow& row);
  void tell_left();
  HandlerLinkOptions limits_for(const HandlerRow& row) const;
  OwnedFd take_offer(const std::string& endpoint);

  Loop& loop_;
  HandlerLinkUser& user_;
  const Place place_;
  ToldTable told_;                      // outlives the links
  std::vector<ToldTable::Entry> left_;  // until the first commit
  std::unique_ptr<ZmqContext> context_;
  std::unique_ptr<ZapHandler> zap_;
  std::vector<std::string> allowed_, allowed_next_;  // public keys: now, and after the commit
  std::map<std::string, OwnedFd> offers_;
  std::set<std::string, std::less<>> held_;
  std::map<std::string, Entry> entries_;
  bool behind_relay_ = false;
  SocketSettings socket_settings_;
  HandlerLinkOptions marks_;  // the settings part
  struct Change {             // of a pair that goes on, at the commit
    std::shared_ptr<HandlerLink> link;
    std::string recv_ident;
    HandlerLinkOptions limits;
  };
  std::vector<Change> changes_;
  // Removed pairs that come back with the commit.
  std::vector<std::pair<std::shared_ptr<HandlerLink>, HandlerLinkOptions>> returning_;
};

}  // namespace m2
