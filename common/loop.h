// libev in RAII: the only file that includes ev.h. A watcher is a member of the object it calls,
// is started against one method of it, and stops when it is destroyed. No allocation anywhere.
#pragma once

#include <ev.h>

namespace m2 {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();                                      // until stop()
  void run_once() { ::ev_run(raw_, EVRUN_ONCE); }  // one turn, for tests
  void stop() { ::ev_break(raw_, EVBREAK_ALL); }
  // Seconds of a clock that nobody steps, taken once a turn: for every span of time. Zero is long
  // ago.
  double now() const {
    if (taken_in_ != turn()) take_time();
    return now_;
  }
  // Seconds since the epoch, taken once a turn: for dates and logs. An operator or NTP may step it.
  double wall() const { return ::ev_now(raw_); }
  // The same as it was when the loop was made, and what has passed since: never stepped.
  double since_epoch() const { return now() + epoch_; }
  // Counts turns: two events with the same number were reported by one epoll_wait.
  unsigned turn() const { return ::ev_iteration(raw_); }
  struct ev_loop* raw() const {
    return raw_;
  }

 private:
  void take_time() const;

  struct ev_loop* raw_;
  mutable unsigned taken_in_ = ~0u;
  mutable double now_ = 0;
  double epoch_;  // of now()
};

// Readiness of a descriptor. revents is EV_READ | EV_WRITE as in libev.
class IoWatcher {
 public:
  IoWatcher() { ev_init(&io_, nullptr); }
  ~IoWatcher() { stop(); }
  IoWatcher(const IoWatcher&) = delete;
  IoWatcher& operator=(const IoWatcher&) = delete;

  template <auto Method, typename T>
  void start(Loop& loop, int fd, int events, T* self) {
    stop();
    loop_ = loop.raw();
    constexpr auto call = [](struct ev_loop*, ev_io* w, int revents) {
      (static_cast<T*>(w->data)->*Method)(revents);
    };
    ev_io_init(&io_, call, fd, events);
    io_.data = self;
    ::ev_io_start(loop_, &io_);
  }
  // Another set of events on the same descriptor; 0 pauses. Costs a system call in the next turn.
  void set_events(int events) {
    if ((io_.events & (EV_READ | EV_WRITE)) == events && (events == 0 || ev_is_active(&io_)))
      return;
    ::ev_io_stop(loop_, &io_);
    ev_io_set(&io_, io_.fd, events);
    if (events != 0) ::ev_io_start(loop_, &io_);
  }
  int events() const { return io_.events & (EV_READ | EV_WRITE); }
  bool active() const { return ev_is_active(&io_); }
  void stop() {
    if (loop_ != nullptr) ::ev_io_stop(loop_, &io_);
  }

 private:
  ev_io io_;
  struct ev_loop* loop_ = nullptr;
};

// One shot, or repeating when repeat_s > 0. Seconds are relative to the loop's now. What has come
// by then is taken first: a process that was kept from running must not find others late for that.
class TimerWatcher {
 public:
  TimerWatcher() { ev_init(&timer_, nullptr); }
  ~TimerWatcher() { stop(); }
  TimerWatcher(const TimerWatcher&) = delete;
  TimerWatcher& operator=(const TimerWatcher&) = delete;

  template <auto Method, typename T>
  void start(Loop& loop, double after_s, double repeat_s, T* self) {
    stop();
    loop_ = loop.raw();
    constexpr auto call = [](struct ev_loop*, ev_timer* w, int) {
      (static_cast<T*>(w->data)->*Method)();
    };
    ev_timer_init(&timer_, call, after_s, repeat_s);
    ev_set_priority(&timer_, EV_MINPRI);
    timer_.data = self;
    ::ev_timer_start(loop_, &timer_);
  }
  bool active() const { return ev_is_active(&timer_); }
  void stop() {
    if (loop_ != nullptr) ::ev_timer_stop(loop_, &timer_);
  }

 private:
  ev_timer timer_;
  struct ev_loop* loop_ = nullptr;
};

class SignalWatcher {
 public:
  SignalWatcher() { ev_init(&signal_, nullptr); }
  ~SignalWatcher() { stop(); }
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  // Method takes the signal number.
  template <auto Method, typename T>
  void start(Loop& loop, int signal_number, T* self) {
    stop();
    loop_ = loop.raw();
    constexpr auto call = [](struct ev_loop*, ev_signal* w, int) {
      (static_cast<T*>(w->data)->*Method)(w->signum);
    };
    ev_signal_init(&signal_, call, signal_number);
    signal_.data = self;
    ::ev_signal_start(loop_, &signal_);
  }
  void stop() {
    if (loop_ != nullptr) ::ev_signal_stop(loop_, &signal_);
  }

 private:
  ev_signal signal_;
  struct ev_loop* loop_ = nullptr;
};

// A call from another thread: Method runs once, or more, in a turn after send().
class AsyncWatcher {
 public:
  AsyncWatcher() { ev_init(&async_, nullptr); }
  ~AsyncWatcher() { stop(); }
  AsyncWatcher(const AsyncWatcher&) = delete;
  AsyncWatcher& operator=(const AsyncWatcher&) = delete;

  template <auto Method, typename T>
  void start(Loop& loop, T* self) {
    stop();
    loop_ = loop.raw();
    constexpr auto call = [](struct ev_loop*, ev_async* w, int) {
      (static_cast<T*>(w->data)->*Method)();
    };
    ev_async_init(&async_, call);
    async_.data = self;
    ::ev_async_start(loop_, &async_);
  }
  void send() { ::ev_async_send(loop_, &async_); }  // from any thread, between start and stop
  void stop() {
    if (loop_ != nullptr) ::ev_async_stop(loop_, &async_);
  }

 private:
  ev_async async_;
  struct ev_loop* loop_ = nullptr;
};

// prepare runs just before a turn waits, check just after; idle makes the turn not wait at all.
template <typename EvType, void (*Start)(struct ev_loop*, EvType*),
          void (*Stop)(struct ev_loop*, EvType*)>
class TurnWatcher {
 public:
  TurnWatcher() { ev_init(&watcher_, nullptr); }
  ~TurnWatcher() { stop(); }
  TurnWatcher(const TurnWatcher&) = delete;
  TurnWatcher& operator=(const TurnWatcher&) = delete;

  template <auto Method, typename T>
  void start(Loop& loop, T* self) {
    stop();
    loop_ = loop.raw();
    constexpr auto call = [](struct ev_loop*, EvType* w, int) {
      (static_cast<T*>(w->data)->*Method)();
    };
    ev_init(&watcher_, call);
    watcher_.data = self;
    Start(loop_, &watcher_);
  }
  bool active() const { return ev_is_active(&watcher_); }
  void stop() {
    if (loop_ != nullptr) Stop(loop_, &watcher_);
  }

 private:
  EvType watcher_;
  struct ev_loop* loop_ = nullptr;
};
using PrepareWatcher = TurnWatcher<ev_prepare, ::ev_prepare_start, ::ev_prepare_stop>;
using CheckWatcher = TurnWatcher<ev_check, ::ev_check_start, ::ev_check_stop>;
using IdleWatcher = TurnWatcher<ev_idle, ::ev_idle_start, ::ev_idle_stop>;

}  // namespace m2
