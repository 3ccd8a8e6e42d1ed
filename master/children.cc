#include "master/children.h"

#include <signal.h>

#include <utility>

#include "common/log.h"
#include "common/sealed_memory.h"
#include "master/endings.h"
#include "master/spawn.h"

namespace m2 {
namespace {

constexpr unsigned kForkRetryMs = 1000;
// What a drained child may take beyond its limit, to say goodbye.
constexpr uint64_t kDrainGraceMs = 1000;

std::string process_name(Role role, unsigned slot) {
  return role == Role::kRelay ? "m2-relay" : "m2-worker-" + std::to_string(slot);
}

}  // namespace

// ---- one child

Child::Child(Children& children, Loop& loop, const ChildStart& start, pid_t pid, OwnedFd channel)
    : children_(children),
      loop_(loop),
      role_(start.role),
      slot_(start.slot),
      incarnation_(start.incarnation),
      pid_(pid),
      channel_(loop, std::move(channel), *this) {}

Child::~Child() = default;

std::string Child::name() const {
  return role_ == Role::kRelay ? "relay" : "worker " + std::to_string(slot_);
}

void Child::expect_answer(uint64_t limit_ms) {
  limit_.start<&Child::limit_passed>(loop_, static_cast<double>(limit_ms) / 1000, 0, this);
}

void Child::leave(MessageType how, uint64_t limit_ms) {
  leaving = true;
  Message message;
  message.type = how;
  message.number = limit_ms;
  send(std::move(message));
  expect_answer(limit_ms + kDrainGraceMs);
}

void Child::kill() {
  if (!exit_status_) kill_child(pid_);
}

void Child::mark_served(uint64_t generation, double now_s) {
  if (serves == 0) served_since_s = now_s;
  serves = generation;
}

void Child::channel_message(Message message) {
  silent_looks = 0;
  children_.user_.child_message(*this, std::move(message));
}

// A child without its channel cannot be led any more. It has a moment to end by itself (what it
// still writes to handlers and logs is worth that), then it is killed.
void Child::channel_closed(const std::string&) {
  closed_ = true;
  if (!leaving) expect_answer(kDrainGraceMs);
  children_.look_whether_gone(*this);
}

void Child::limit_passed() {
  if (leaving || closed_) {
    log_warn(name() + " has not finished within its limit and is killed");
    kill();
  } else {
    children_.user_.child_silent(*this);
  }
}

// ---- all of them

Children::Children(Loop& loop, Kit kit, ChildrenUser& user)
    : loop_(loop), kit_(std::move(kit)), user_(user) {
  seats_.push_back(std::make_unique<Seat>(*this, Role::kRelay, 0));
}

Children::~Children() = default;

Status Children::staff(unsigned workers) {
  while (seats_.size() < workers + 1) {
    const unsigned slot = static_cast<unsigned>(seats_.size() - 1);
    seats_.push_back(std::make_unique<Seat>(*this, Role::kWorker, slot));
  }
  for (size_t i = 0; i < workers + 1; ++i) {
    Seat& seat = *seats_[i];
    seat.wanted = true;
    if (seat.child != nullptr) continue;
    if (Status started = start(seat); !started.ok()) return started;
  }
  return {};
}

void Children::retire(unsigned workers, uint64_t drain_ms) {
  for (size_t i = workers + 1; i < seats_.size(); ++i) {
    Seat& seat = *seats_[i];
    seat.wanted = false;
    seat.timer.stop();
    if (seat.child != nullptr && !seat.child->leaving) seat.child->retire(drain_ms);
  }
}

void Children::stop_replacing() {
  for (const auto& seat : seats_) {
    seat->wanted = false;
    seat->timer.stop();
  }
}

void Children::kill_all() {
  each([](Child& child) {
    child.leaving = true;
    child.kill();
  });
}

Status Children::start(Seat& seat) {
  seat.timer.stop();
  Result<std::pair<OwnedFd, OwnedFd>> channel = channel_pair();
  if (!channel.ok()) return std::move(channel).status();
  ChildStart begin;
  begin.role = seat.role;
  begin.slot = seat.slot;
  begin.incarnation = incarnations_.next(static_cast<uint64_t>(loop_.since_epoch() * 1000));
  begin.channel = std::move(channel.value().second);
  begin.jail = kit_.jail;
  begin.run_directory = kit_.run_directory;
  user_.equip_child(begin);
  if (seat.role == Role::kWorker && !seat.told.valid()) {
    Result<OwnedFd> memory = shared_memory("m2-told", kToldMemoryBytes);
    if (memory.ok()) {
      seat.told = std::move(memory).value();
    } else {  // a limit on the size of files counts for memory files too
      log_warn(memory.message() + ": should " + process_name(seat.role, seat.slot) +
               " die, handlers do not hear of its clients");
    }
  }
  if (seat.role == Role::kWorker) begin.told = seat.told.duplicate();
  const SpawnPlan plan{.name = process_name(seat.role, seat.slot),
                       .keep = {begin.channel.get(), begin.error_log.get(), begin.access_log.get(),
                                begin.told.get()},
                       .output = begin.error_log.get()};
  const DescriptorCounts given = given_to(plan);
  Result<pid_t> pid = spawn(plan, [&] {
    return seat.role == Role::kRelay ? kit_.relay_main(std::move(begin))
                                     : kit_.worker_main(std::move(begin));
  });
  if (!pid.ok()) return std::move(pid).status();
  seat.child =
      std::make_unique<Child>(*this, loop_, begin, pid.value(), std::move(channel.value().first));
  seat.child->given = given;
  log_debug(seat.child->name() + " starts as process " + std::to_string(pid.value()));
  user_.child_born(*seat.child);
  return {};
}

void Children::start_later(Seat& seat, unsigned delay_ms) {
  seat.timer.start<&Seat::restart_due>(loop_, delay_ms / 1000.0, 0, &seat);
}

void Children::Seat::restart_due() {
  if (child != nullptr || !wanted) return;
  if (Status started = children.start(*this); !started.ok()) {
    log_error(started.message() + "; next attempt in " + std::to_string(kForkRetryMs) + " ms");
    children.start_later(*this, kForkRetryMs);
  }
}

void Children::reap() {
  for (const auto& seat : seats_) {
    Child* child = seat->child.get();
    if (child == nullptr || child->exit_status_) continue;
    child->exit_status_ = take_end(child->pid_);
    if (!child->exit_status_) continue;
    look_whether_gone(*child);
  }
}

// Both: else a last word that still waits in the channel would be lost, or the reason of the death.
void Children::look_whether_gone(Child& child) {
  if (!child.closed_ || !child.exit_status_) return;
  Seat& seat = *seats_[child.role() == Role::kRelay ? 0 : child.slot() + 1];
  const std::unique_ptr<Child> gone = std::move(seat.child);
  user_.child_gone(*gone, exit_reason(*gone->exit_status_));
  if (!seat.wanted) return;
  // One that we told to go, in a place that is wanted again, did not fail.
  const double served_s = gone->serves == 0 ? 0 : loop_.now() - gone->served_since_s;
  const unsigned delay_ms = gone->leaving ? 0 : seat.delay.next_ms(served_s);
  if (delay_ms != 0) {
    log_warn(gone->name() + " starts again in " + std::to_string(delay_ms) + " ms");
  }
  start_later(seat, delay_ms);
}

Child* Children::find(uint64_t id) {
  for (const auto& seat : seats_) {
    if (seat->child != nullptr && seat->child->id() == id) return seat->child.get();
  }
  return nullptr;
}

bool Children::empty() const {
  for (const auto& seat : seats_) {
    if (seat->child != nullptr) return false;
  }
  return true;
}

void Children::each(const std::function<void(Child&)>& call) {
  for (const auto& seat : seats_) {
    if (seat->child != nullptr) call(*seat->child);
  }
}

}  // namespace m2
