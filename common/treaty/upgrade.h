// What a master and the one that takes its place say to each other (docs/upgrade.md), both ends
// side by side. Words travel on a Channel as kUpgrade; the two may be programs of different
// versions, so nothing here changes its meaning without another number in kUpgradeVersion.
//
//   new -> old   kHello                 who it is; it has been started with the channel
//   old -> new   kSockets* then kOffer  what listens; the facts it begins with
//   new -> old   kServes                its first generation serves, on the same sockets
//   old -> new   kYours                 the pid file is free
//   new -> old   kTaken                 it is the new one's now
//   old -> new   kOwner                 the service manager knows: from here on the new one is it
//   old -> new   kClients*, kLeft*      while the old one finishes
//   either       kRefused               until kTaken: nothing changes, the old one goes on
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/treaty/channel.h"

namespace m2 {

// Also covers the header of a message (channel.cc) and the lines of kClients (messages.h).
inline constexpr uint64_t kUpgradeVersion = 1;
// In the environment of the new program: the number of its end of the channel.
inline constexpr const char kUpgradeVariable[] = "MONGREL2_UPGRADE_FD";

enum class UpgradeWord : uint32_t {
  kHello = 1,  // generation: its kUpgradeVersion, number: its pid, text: its version
  kRefused,    // text: why
  kSockets,    // text: keys, one a line, of the listening sockets attached, in order (see plan.h)
  kOffer,      // generation: verdicts written so far, number: the latest incarnation of a child
  kServes,     // text: what the first generation is
  kYours,
  kTaken,
  kOwner,
  kClients,  // as MessageType::kClients
  kLeft,     // text: keys of 0MQ endpoints, one a line, at which nobody of the old one listens now
};

inline Message upgrade_message(UpgradeWord word, std::string text = {}) {
  Message message;
  message.type = MessageType::kUpgrade;
  message.slot = static_cast<uint32_t>(word);
  if (text.size() > kMessageTextMax) text.resize(kMessageTextMax);
  message.text = std::move(text);
  return message;
}

inline UpgradeWord upgrade_word(const Message& message) {
  return static_cast<UpgradeWord>(message.slot);
}

}  // namespace m2
