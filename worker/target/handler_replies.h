// Takes what handlers send to the clients it is for: one message, up to limits.handler_targets of
// them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "worker/http/clients.h"
#include "worker/link/handler_link.h"

namespace m2 {

class HandlerReplies final : public HandlerLinkUser {
 public:
  // Both outlive it.
  HandlerReplies(Loop& loop, Clients& clients) : loop_(loop), clients_(clients) {}

  void handler_message(HandlerLink& link, HandlerMessage& message) override;
  void request_refused(HandlerLink& link, ConnectionId id, std::string_view why,
                       int status) override;

  // How disconnect notices for unknown ids are written depends on the rows that use a pair.
  class Notices {
   public:
    virtual void unknown_client(HandlerLink& link, ConnectionId id) = 0;

   protected:
    ~Notices() = default;
  };
  void set_notices(Notices& notices) { notices_ = &notices; }

 private:
  void answer_unknown(HandlerLink& link, ConnectionId id);
  void count_bad(HandlerLink& link, std::string_view why);

  Loop& loop_;
  Clients& clients_;
  Notices* notices_ = nullptr;
  uint64_t bad_messages_ = 0;
  uint64_t late_messages_ = 0;
  // Unknown ids answered in this second: a handler that answers notices must not make a storm.
  struct Told {
    ConnectionId id = 0;
    int64_t second = 0;
  };
  std::array<Told, 1024> told_{};
};

}  // namespace m2
