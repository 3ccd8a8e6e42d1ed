// What the handlers of a pair owe: one entry for each request that waits for its answer, in the
// order they came. Nothing that was handed over is forgotten in silence: it is answered, taken
// back, late (handler.timeout), or was with handlers that are gone (handler.grace_ms). Used by
// HandlerLink; the entries lie in the responders that wait. It never reads a message.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/config/model.h"
#include "common/loop.h"
#include "proto/handler/connection_id.h"
#include "worker/link/peer_id.h"

namespace m2 {

class Ledger;

// One entry. Who destroys it owes nothing any more.
class Owed {
 public:
  Owed() = default;
  ~Owed() { settle(); }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;

  // Its own time for the first of the answer, before it is added; kAsSetting: the ledger's.
  void set_timeout(uint32_t timeout_ms) { timeout_ms_ = timeout_ms; }
  // Answered, refused or cancelled. Possible at any time.
  void settle();
  // Some of the answer is here: handler.timeout means nothing to it any more. If its handlers were
  // gone and some have come back, it was one of these that spoke: it is not lost.
  void answer_came();
  bool has_begun() const { return begun_; }
  // The user was told kGone.
  bool handlers_gone() const { return gone_; }
  // Its handler asks for more time: handler.timeout begins anew.
  void begin_anew();
  // It has not been passed on yet (number 0); now it is, as the number-th message of the link.
  void handed_over(uint64_t number) { number_ = number; }
  bool was_handed_over() const { return number_ != 0; }
  // It is with that handler now.
  void is_with(PeerId peer) { peer_ = peer; }

 private:
  friend class Ledger;
  void unlink();

  Owed* next_ = nullptr;  // circular list; null: in none
  Owed* previous_ = nullptr;
  Ledger* ledger_ = nullptr;
  ConnectionId id_ = 0;
  uint64_t number_ = 0;
  bool begun_ = false;
  bool gone_ = false;
  bool came_ = false;  // a handler has, since its own went
  PeerId peer_ = kUnknownPeer;
  uint32_t timeout_ms_ = kAsSetting;
  double since_ = 0;
  double lost_at_ = 0;  // 0: its handler may be there
};

class LedgerUser {
 public:
  enum class Overdue : uint8_t {
    kLate,  // no answer within handler.timeout
    kGone,  // all handlers that can have had it are gone for handler.grace_ms
    kTorn   // it has begun, and a part of it may be lost
  };
  // Once for each entry and cause. The ledger may be destroyed in the call.
  virtual void overdue(ConnectionId id, Overdue cause) = 0;
  // An entry that was never handed over is settled: whoever remembers it must forget it.
  virtual void forget(Owed& owed) = 0;
  // One that was with this peer is settled.
  virtual void settled(PeerId) {}

 protected:
  ~LedgerUser() = default;
};

class Ledger {
 public:
  // Both outlive it.
  Ledger(Loop& loop, LedgerUser& user) : loop_(loop), user_(user) {}
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // number: as for handed_over(), 0 while it waits. An entry that is on a ledger begins anew.
  void add(Owed& owed, ConnectionId id, uint64_t number);
  // 0: never. For all entries, also those that wait already.
  void set_limits(uint32_t timeout_ms, uint32_t grace_ms);
  // Messages number first to last were with handlers (or a relay) that are gone.
  void gone(uint64_t first, uint64_t last);
  // A handler has come that was not there before.
  void returned();
  // That handler is gone.
  void peer_gone(PeerId peer);
  // The handlers that these connections were with last are gone: as for messages up to last.
  void gone(std::vector<ConnectionId> ids, uint64_t last);
  // They never had what these connections asked for last.
  void not_gone(std::vector<ConnectionId> ids);
  // That handler is gone, and never had the message of this connection, which waits again. Null:
  // nobody waits for its answer.
  Owed* take_back(ConnectionId id, PeerId peer);
  // A part of the answers to messages up to last that have begun may be lost; also tells of these.
  void torn(uint64_t last, std::vector<ConnectionId> also);
  size_t size() const { return size_; }
  // Whether the answer to any of the messages up to last is still due.
  bool owes(uint64_t last);

 private:
  friend class Owed;
  void watch_late();
  void watch_lost();
  void late();
  void lost();
  void tell(const std::vector<ConnectionId>& ids, LedgerUser::Overdue cause);
  static void append(Owed& list, Owed& owed);
  template <typename Visit>
  void for_each(Visit visit);
  template <typename HadIt>
  void lose(HadIt had_it);
  Owed& waiting_list(const Owed& owed);
  std::vector<Owed*> lists();
  template <typename Visit>
  void each_late(Visit visit);

  Loop& loop_;
  LedgerUser& user_;
  double timeout_s_ = 0;
  double grace_s_ = 0;
  size_t size_ = 0;
  // Heads of lists in order of time. Nothing came yet: with the time of the ledger, or with one of
  // their own, which are few. Some of the answer came.
  Owed waiting_;
  std::map<uint32_t, Owed> timed_;
  Owed begun_;
  double late_at_ = 0;  // when the timer comes
  TimerWatcher late_timer_;
  TimerWatcher lost_timer_;
  bool* destroyed_ = nullptr;
};

}  // namespace m2
