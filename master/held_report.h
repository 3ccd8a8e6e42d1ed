// What the clients of all workers felt of a reload, for its verdict: sums what workers say at the
// swap, and waits a moment for those that retire, which say it beside the handshake. Owned by the
// supervisor.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "common/loop.h"
#include "common/treaty/held_clients.h"

namespace m2 {

class HeldReport {
 public:
  explicit HeldReport(Loop& loop) : loop_(loop) {}

  // A reload begins; a verdict that still waited is said.
  void begin();
  // This worker retires, and will say what it held.
  void await(uint64_t child) { awaited_.insert(child); }
  void swapped(std::string_view line) { add(line); }
  void retiring(uint64_t child, std::string_view line);
  void gone(uint64_t child);
  // say is called once: when all have said it, after a second, or when the next reload begins.
  void when_complete(std::function<void()> say);
  void give_up();  // nobody wants to hear it any more

  std::string text() const { return held_.text(); }

 private:
  void add(std::string_view line);
  void look();
  void late();
  void say();

  Loop& loop_;
  HeldClients held_;
  std::set<uint64_t> awaited_;
  std::function<void()> say_;
  TimerWatcher limit_;
};

}  // namespace m2
