// Messages of clients that the relay has taken and may not have passed on yet, for those of which
// nobody is owed an answer (a ledger knows the others): messages of WebSockets, mostly.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "proto/handler/connection_id.h"

namespace m2 {

class InDoubt {
 public:
  // number: its place among all messages to the relay; never less than that of the one before.
  void add(uint64_t number, ConnectionId id) { messages_.push_back({number, id}); }
  // A ledger knows this one, the latest.
  void is_owed(uint64_t number) {
    if (!messages_.empty() && messages_.back().number == number) messages_.pop_back();
  }
  // The relay has passed on all up to this one.
  void passed(uint64_t number) {
    while (!messages_.empty() && messages_.front().number <= number) messages_.pop_front();
  }
  // The relay is gone: adds whose messages may be lost to ids, each once.
  void move_to(std::vector<ConnectionId>& ids) {
    for (const Message& lost : messages_) ids.push_back(lost.id);
    messages_.clear();
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }

 private:
  struct Message {
    uint64_t number;
    ConnectionId id;
  };
  std::deque<Message> messages_;
};

}  // namespace m2
