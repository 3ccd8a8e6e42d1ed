// What the relay says to a worker beside the replies it passes on, in the same stream and in order
// with them; both ends side by side. No handler can say it: a reply begins with a sender of
// letters, digits and '-', and the relay passes on nothing else.
//
//   @relay open            handlers are there: requests may come
//   @relay closed          the last handler has gone: keep requests until one comes
//   @relay refused ID WHY  a request that the relay could not pass on in time
#pragma once

#include <string>
#include <string_view>

#include "proto/handler/connection_id.h"

namespace m2 {

inline constexpr std::string_view kRelayPrefix = "@relay ";
inline constexpr std::string_view kRelayOpen = "@relay open";
inline constexpr std::string_view kRelayClosed = "@relay closed";
inline constexpr std::string_view kRelayRefused = "@relay refused ";

inline std::string write_relay_refusal(ConnectionId id, std::string_view why) {
  std::string out(kRelayRefused);
  out += std::to_string(id);
  out += ' ';
  out += why;
  return out;
}

struct RelayRefusal {
  ConnectionId id = 0;  // 0: not a refusal
  std::string_view why;
};

inline RelayRefusal read_relay_refusal(std::string_view word) {
  if (!word.starts_with(kRelayRefused)) return {};
  word.remove_prefix(kRelayRefused.size());
  const size_t space = word.find(' ');
  if (space == std::string_view::npos) return {};
  return {parse_connection_id(word.substr(0, space)), word.substr(space + 1)};
}

}  // namespace m2
