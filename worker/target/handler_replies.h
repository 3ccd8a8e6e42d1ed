// Takes what handlers send to the clients it is for: one message, up to limits.handler_targets of
// them, or a word about them for the server ("X"). A message is delivered to all or refused whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "worker/http/clients.h"
#include "worker/link/drop_counter.h"
#include "worker/link/handler_link.h"

namespace m2 {

class HandlerNotices;
struct Reply;

class HandlerReplies final : public HandlerLinkUser {
 public:
  // They outlive it.
  explicit HandlerReplies(Clients& clients) : clients_(clients) {}

  void handler_message(HandlerLink& link, HandlerMessage& message) override;
  void request_refused(HandlerLink& link, ConnectionId id, std::string_view why,
                       int status) override;
  void connections_left(HandlerLink& link, std::vector<ConnectionId> ids) override;
  std::vector<ConnectionId> told(const HandlerLink& link) override;

  // Which row a pair has, and how its notices are written.
  class Pairs {
   public:
    virtual std::shared_ptr<HandlerNotices> notices_of(HandlerLink& link) = 0;

   protected:
    ~Pairs() = default;
  };
  void set_pairs(Pairs& pairs) { pairs_ = &pairs; }

 private:
  void deliver(HandlerLink& link, const Reply& reply, HandlerMessage& message);
  void order(HandlerLink& link, const Reply& reply, HandlerMessage& message);
  void do_as_told(HandlerLink& link, const Reply& reply);
  bool is_ours(const HandlerLink& link, ConnectionId id) const;
  // detail: what is in no way the same in two messages of one kind.
  void count_bad(HandlerLink& link, std::string_view why, std::string_view detail = {});
  void look_for_cut(HandlerLink& link, std::string_view text);
  void count_late(HandlerLink& link, std::string_view id, size_t bytes);

  Clients& clients_;
  Pairs* pairs_ = nullptr;
  KindCounter bad_;
  DropCounter late_;
  int64_t looked_for_cut_s_ = 0;
};

}  // namespace m2
