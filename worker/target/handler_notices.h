// What the handlers of one pair hear of clients beside requests: that one has left, and how much of
// an answer it has taken. One for each link, shared by all rows that a pair has over reloads, so
// that who was told of a client by an earlier row hears of its end too.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "worker/link/handler_link.h"
#include "worker/link/room_waiter.h"
#include "worker/target/target.h"

namespace m2 {

class HandlerNotices final : public ToldHandler, private RoomWaiter {
 public:
  HandlerNotices(std::shared_ptr<HandlerLink> link, HandlerRow row)
      : link_(std::move(link)), row_(std::move(row)) {}

  // The row whose requests are passed on from now on.
  void speak_as(const HandlerRow& row) {
    if (!(row_ == row)) row_ = row;
  }
  const HandlerRow& row() const { return row_; }
  HandlerLink& link() { return *link_; }

  // The disconnect notice (manual 5.3). A request that no handler has seen yet needs none.
  void client_left(ConnectionId id, bool had_request) override;
  void client_parted(ConnectionId id) override;
  bool client_half_closed(ConnectionId id) override;
  // A credits message of Mongrel2 1.10. What the queue has no room for is said later.
  void client_took(ConnectionId id, uint64_t bytes) override;
  // The same for many connections, at the pace of the queue.
  void all_left(std::vector<ConnectionId> ids);
  const void* pair() const override { return link_.get(); }

 private:
  void room() override;
  void say_credits(ConnectionId id, uint64_t bytes);

  const std::shared_ptr<HandlerLink> link_;
  HandlerRow row_;
  std::string message_;                      // reused: the notice being written
  std::vector<ConnectionId> left_;           // still to be told of
  std::map<ConnectionId, uint64_t> unsaid_;  // credits; of connections that are there
};

}  // namespace m2
