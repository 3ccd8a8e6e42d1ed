// One TCP connection to a backend: connecting (address after address), sending with a bounded rest,
// receiving, and the deadline of whatever it waits for. Used by one exchange at a time, kept by
// BackendPool in between. Knows nothing of HTTP. An idle one notices when the backend closes it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/deadlines.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "worker/target/backend_addresses.h"

namespace m2 {

class BackendPool;

// Why a connection is no more, or never came to be.
struct BackendEnd {
  enum class Cause : uint8_t {
    kClosed,       // the backend closed it in good order
    kFailed,       // reset
    kSilent,       // nothing for answer_ms
    kUnreachable,  // no address took the connection
    kNoConnect,    // the last address did not answer within connect_ms
    kExhausted     // no descriptors, or as many connections as allowed
  };
  Cause cause = Cause::kClosed;
  bool reused = false;      // it had served before
  bool received = false;    // since then, or since it was opened, the backend has sent something
  std::string why = {};     // names the backend
  std::string unsent = {};  // never_connected(): all that was sent; nobody has seen it

  // The backend may have closed it, idle as it was, before the request came.
  bool is_stale() const { return reused && !received && is_end(); }
  bool is_end() const { return cause == Cause::kClosed || cause == Cause::kFailed; }
  bool never_connected() const {
    return cause == Cause::kUnreachable || cause == Cause::kNoConnect || cause == Cause::kExhausted;
  }
};

// Who uses a connection. The calls come from the loop, never from within a call of the user.
class BackendUser {
 public:
  // All that was sent has left, some of it late.
  virtual void backend_drained() = 0;
  // bytes are valid during the call only.
  virtual void backend_received(std::string_view bytes) = 0;
  // The connection is closed and not the user's any more.
  virtual void backend_ended(const BackendEnd& end) = 0;

 protected:
  ~BackendUser() = default;
};

class BackendConnection final : private Deadline {
 public:
  // Owned by the pool, which outlives it.
  explicit BackendConnection(BackendPool& pool) : pool_(pool) {}

  // Sends as much as the backend takes, and the rest when it takes more. Never fails: the end of
  // the connection is told later. The caller bounds unsent().
  void send(std::span<const std::string_view> pieces);
  size_t unsent() const { return unsent_.size() - unsent_from_; }
  // The backend owes an answer: from here on it must not be silent for answer_ms.
  void expect_answer();
  // It is no longer HTTP: silence is no fault from here on.
  void expect_nothing() { answer_due_ = false; }
  // The backend hears that no more comes, once it has taken what was sent.
  void finish_sending();
  // Paused, the backend sends against a full window and owes nothing.
  void pause_reading(bool paused);

  const std::string& name() const { return address().name; }  // of the backend, for logs
  const BackendAddress& address() const { return (*addresses_)[address_]; }

  // Both: the connection is not the user's any more, which hears nothing more of it.
  // healthy: between two requests, so that another may use it.
  void release(bool healthy);
  void close();

 private:
  friend class BackendPool;
  enum class State : uint8_t { kClosed, kConnecting, kInUse, kIdle };

  // For the pool. open: false and end filled when no connection can be begun.
  bool open(BackendUser& user, BackendEnd& end);
  void reuse(BackendUser& user);
  // A system call: nothing received, not closed.
  bool looks_alive() const;

  bool connect_next(BackendEnd& end);
  void next_address();
  void connect_failed(BackendEnd::Cause cause, std::string_view what);
  void connected();
  void on_io(int revents);
  void read();
  void flush();
  size_t send_now(std::span<const std::string_view> pieces);
  void send_failed();
  void watch();
  // Only then does its silence count.
  bool owes() const;
  void set_deadline();
  void deadline_passed() override;
  void end(BackendEnd::Cause cause, std::string_view what);

  BackendPool& pool_;
  BackendConnection* next_ = nullptr;  // idle list of the pool
  BackendConnection* previous_ = nullptr;
  BackendUser* user_ = nullptr;
  OwnedFd socket_;
  IoWatcher io_;
  State state_ = State::kClosed;
  bool reused_ = false;
  bool received_ = false;  // since it was handed out
  bool answer_due_ = false;
  bool reading_paused_ = false;
  bool first_wait_ = false;  // the deadline is that of a new connection's first answer
  bool finish_due_ = false;  // shut down for sending when all has left
  uint32_t address_ = 0;     // index of addresses_
  uint32_t tries_left_ = 0;  // addresses not yet tried
  BackendAddresses addresses_;
  size_t unsent_from_ = 0;
  std::string unsent_;  // the part from unsent_from_ on has not left
};

}  // namespace m2
