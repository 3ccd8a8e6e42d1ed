// Every message between our processes: the map of all conversations.
//
//   reload (also the first start, and a child that is born later, alone):
//     master -> child    kOffer*  then kPrepare      a generation and the descriptors it needs
//     child  -> master   kReady | kFailed            built beside the old one | why not
//     master -> child    kCommit | kAbort            swap | forget it
//     child  -> master   kSwapped                    the new generation serves
//     worker -> master   kRetiring                   told to retire: whom it held
//   every child, before anything else:
//     child  -> master   kJailed                     what it has left of its privileges
//   config reader (ends after its verdict):
//     reader -> master   kAuthor, while it still has all its rights
//     reader -> master   kFinding* then kPlan | kRefused
//   names of backends, again:
//     worker -> master   kLookUp                     one of their addresses does not answer
//     resolver -> master -> workers   kAddresses
//   relay and workers:
//     master -> relay    kWorkerUp, kWorkerDown      connect to, let go of a worker's endpoints
//     relay  -> master   kSignal                     the control port was told to stop, reload, ...
//   upgrade (two masters speak in words of their own, upgrade.h):
//     new master -> child    kHold, kListen          endpoints that the old one's children have yet
//     old master -> child    kLeaveHandlers
//     child -> old master    kHandlersLeft
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace m2 {

inline constexpr size_t kMessageTextMax = 32 * 1024;
inline constexpr size_t kMessageDescriptorsMax = 64;
// Beyond this many unsent messages a peer counts as hung.
inline constexpr size_t kChannelQueueMax = 4096;

inline constexpr std::string_view kClientSendsProxyHeader = "proxy";

enum class MessageType : uint32_t {
  // text: keys, one a line, of the descriptors attached, in order (keys: see plan.h).
  kOffer = 1,
  // descriptors: [image]. number: workers that use handlers: those of this
  // generation, and while they finish those that retire. More than one: by way of the relay.
  kPrepare,
  kReady,
  kFailed,  // text: why
  kCommit,
  kAbort,
  kSwapped,  // text: HeldClients::line(), of a worker
  // Graceful end: accept nothing new, finish what is in flight within number ms, exit 0.
  kDrain,
  // The same, but the server goes on without this worker: it passes on who is between two requests.
  kRetire,
  // From a worker that retires to the master, and on to one that stays; or from the master alone,
  // when a listener goes. descriptors: HTTP clients. text: a line for each: "" (who it is, its
  // socket says), kClientSendsProxyHeader (first of all), or "ADDRESS PORT" and perhaps " tls"
  // (a PROXY header said).
  kClients,
  // New log files. descriptors: [error_log] or [error_log, access_log].
  kLogs,
  // To the relay. slot and number (incarnation) of a worker that has swapped to this generation;
  // its endpoints follow from them (private_endpoint in plan.h).
  kWorkerUp,
  // slot, number (incarnation): dead, its endpoints are gone, tell its handlers.
  kWorkerDown,
  // From the config reader. text: one finding, a line for people. number: 1 error, 0 warning.
  kFinding,
  // descriptors: [plan, image], both sealed memory files. The plan is master's (plan.h).
  kPlan,
  kRefused,
  // From a child to the master, for the heartbeat and status; number: connections open.
  kAlive,
  // From a worker: an address of a backend does not answer; look the names up again. It names none:
  // the configuration does.
  kLookUp,
  // From the resolver, and on to every worker. descriptors: [addresses], sealed (addresses.h).
  kAddresses,
  // From the relay, asked through the control port. number: HUP, INT or TERM, as if it had come as
  // a signal.
  kSignal,
  // From a worker, after kRetire. text: HeldClients::line().
  kRetiring,
  // From every child, first of all. text: its JailReport (common/jail_report.h).
  kJailed,
  // text: keys of 0MQ endpoints, one a line. Sockets that are offered for them are not to be used
  // before kListen names them: the children of the master that we replace still listen there, and
  // a handler must not be connected to two servers at once.
  kHold,
  kListen,
  // Another master has taken over: leave each handler pair as soon as nothing is owed by it, and
  // all of them after number ms, ending in order what they still hold.
  kLeaveHandlers,
  // text: keys of the endpoints of pairs that were left; nobody listens there any more.
  kHandlersLeft,
  // From the config reader, before all else. text: who decides what the database says
  // (master/author.h).
  kAuthor,
  kLast = kAuthor,
  // Between two masters, whose programs may differ: its number never changes. slot: UpgradeWord.
  kUpgrade = 1000,
};

}  // namespace m2
