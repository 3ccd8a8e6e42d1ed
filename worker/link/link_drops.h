// What a link did not deliver: counted by cause, and logged now and then with the connection and
// the pair that it was for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/handler/connection_id.h"
#include "worker/link/drop_counter.h"
#include "worker/link/handler_link.h"

namespace m2 {

class LinkDrops {
 public:
  // Both names outlive this.
  LinkDrops(const std::string& send_spec, const std::string& recv_spec)
      : send_spec_(send_spec), recv_spec_(recv_spec) {}

  // Requests that get no answer.
  void queue_full(ConnectionId id, std::string_view why) { refused(full_, id, why); }
  void late(ConnectionId id, std::string_view why) { refused(late_, id, why); }
  void relay_refused() { relay_.add(); }  // the relay has logged it
  void timeout(ConnectionId id, std::string_view why) { refused(timeout_, id, why); }
  void gone(ConnectionId id, std::string_view why) { refused(gone_, id, why); }

  void notice(ConnectionId id, std::string_view why);
  void multipart();

  HandlerLinkDrops totals() const;

 private:
  void refused(DropCounter& counter, ConnectionId id, std::string_view why);
  void say(const DropCounter& counter, ConnectionId id, std::string_view why) const;

  const std::string& send_spec_;
  const std::string& recv_spec_;
  DropCounter full_;
  DropCounter late_;
  DropCounter relay_;
  DropCounter timeout_;
  DropCounter gone_;
  DropCounter notices_;
  DropCounter multipart_;
};

}  // namespace m2
