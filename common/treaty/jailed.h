// A child's first word: what it really has after giving up its privileges. Sent by every role, read
// by the master (master/jail_book.h).
#pragma once

#include "common/jail_report.h"
#include "common/treaty/channel.h"

namespace m2 {

// channel: the child's end, before it has a loop.
inline Status send_jailed(int channel, const JailReport& report) {
  Message message;
  message.type = MessageType::kJailed;
  message.text = write_jail_report(report);
  return send_and_wait(channel, message);
}

}  // namespace m2
