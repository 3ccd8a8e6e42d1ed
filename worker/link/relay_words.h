// What the relay says to a worker beside the replies it passes on, in the same stream and in order
// with them; both ends side by side. No handler can say it: a reply begins with a sender of
// letters, digits and '-', and the relay passes on nothing else.
//
//   @relay open            handlers are there: requests may come
//   @relay closed          the last handler has gone: keep requests until one comes
//   @relay refused ID WHY  a request that the relay could not pass on in time
//   @relay gone ID ID      the handlers that had these requests, of those passed, are gone
//   @relay came            behind "gone": a handler has come that was not there before
//   @relay back ID ID      behind "closed": these wait again, the handlers never had them
//   @relay passed NUMBER   it has handed over, or given up, your messages up to this number
//
// What a worker says to the relay, in order with the requests. As soon as the relay has connected:
//
//   @worker here ID        I am the one that gives out ID, at an end that may be new: say "open" if
//                          handlers are there
//
// As soon as it hears "open":
//
//   @worker ID NUMBER      I am the one that gives out ID; what follows is message NUMBER + 1
//   @worker parted ID ID   nobody needs to hear of the end of these connections
//   @worker told ID ID     handlers know of these connections, perhaps through an earlier relay
//
// And after a reload that has moved the pair away from the relay:
//
//   @worker settled ID     nobody waits any more for what I have sent; ID as above
#pragma once

#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/handler/connection_id.h"

namespace m2 {

inline constexpr std::string_view kRelayPrefix = "@relay ";
inline constexpr std::string_view kRelayOpen = "@relay open";
inline constexpr std::string_view kRelayClosed = "@relay closed";
inline constexpr std::string_view kRelayRefused = "@relay refused ";
inline constexpr std::string_view kRelayGone = "@relay gone";
inline constexpr std::string_view kRelayCame = "@relay came";
inline constexpr std::string_view kRelayBack = "@relay back";
inline constexpr std::string_view kRelayPassed = "@relay passed ";
inline constexpr std::string_view kWorkerWord = "@worker ";
inline constexpr std::string_view kWorkerTold = "@worker told";
inline constexpr std::string_view kWorkerParted = "@worker parted";
inline constexpr std::string_view kWorkerSettled = "@worker settled ";
inline constexpr std::string_view kWorkerHere = "@worker here ";

inline std::optional<uint64_t> read_number(std::string_view digits) {
  uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return {};
  return number;
}

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

inline std::string write_relay_passed(uint64_t number) {
  return std::string(kRelayPassed) + std::to_string(number);
}

// No value: it is about something else.
inline std::optional<uint64_t> read_relay_passed(std::string_view word) {
  if (!word.starts_with(kRelayPassed)) return {};
  return read_number(word.substr(kRelayPassed.size()));
}

inline std::string write_worker_word(ConnectionId id, uint64_t number) {
  return std::string(kWorkerWord) + std::to_string(id) + ' ' + std::to_string(number);
}

inline std::string write_ids(std::string_view word, std::span<const ConnectionId> ids) {
  std::string out(word);
  for (const ConnectionId id : ids) out.append(" ").append(std::to_string(id));
  return out;
}
// visit(ConnectionId) for each. False: it is another word.
template <typename Visit>
bool read_ids(std::string_view word, std::string_view text, Visit visit) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view digits = text.substr(0, text.find(' '));
    if (const ConnectionId id = parse_connection_id(digits); id != 0) visit(id);
    text.remove_prefix(digits.size());
  }
  return true;
}

inline std::string write_relay_gone(std::span<const ConnectionId> ids) {
  return write_ids(kRelayGone, ids);
}
template <typename Visit>
bool read_relay_gone(std::string_view word, Visit visit) {
  return read_ids(kRelayGone, word, visit);
}

inline std::string write_relay_back(std::span<const ConnectionId> ids) {
  return write_ids(kRelayBack, ids);
}
template <typename Visit>
bool read_relay_back(std::string_view word, Visit visit) {
  return read_ids(kRelayBack, word, visit);
}

inline std::string write_worker_told(std::span<const ConnectionId> ids) {
  return write_ids(kWorkerTold, ids);
}
template <typename Visit>
bool read_worker_told(std::string_view word, Visit visit) {
  return read_ids(kWorkerTold, word, visit);
}

inline std::string write_worker_settled(ConnectionId id) {
  return std::string(kWorkerSettled) + std::to_string(id);
}

inline std::string write_worker_here(ConnectionId id) {
  return std::string(kWorkerHere) + std::to_string(id);
}

// 0: it is another word.
inline ConnectionId read_worker_here(std::string_view word) {
  if (!word.starts_with(kWorkerHere)) return 0;
  return parse_connection_id(word.substr(kWorkerHere.size()));
}

// 0: it is another word.
inline ConnectionId read_worker_settled(std::string_view word) {
  if (!word.starts_with(kWorkerSettled)) return 0;
  return parse_connection_id(word.substr(kWorkerSettled.size()));
}

inline std::string write_worker_parted(std::span<const ConnectionId> ids) {
  return write_ids(kWorkerParted, ids);
}
template <typename Visit>
bool read_worker_parted(std::string_view word, Visit visit) {
  return read_ids(kWorkerParted, word, visit);
}

struct WorkerWord {
  ConnectionId id = 0;  // 0: not that word
  uint64_t number = 0;
};

inline WorkerWord read_worker_word(std::string_view word) {
  if (!word.starts_with(kWorkerWord)) return {};
  word.remove_prefix(kWorkerWord.size());
  const size_t space = word.find(' ');
  if (space == std::string_view::npos) return {};
  const std::optional<uint64_t> number = read_number(word.substr(space + 1));
  if (!number) return {};
  return {parse_connection_id(word.substr(0, space)), *number};
}

}  // namespace m2
