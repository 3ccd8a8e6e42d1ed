// What comes in: signals, children, the end. The reload's side is in supervisor_reload.cc.
#include "master/supervisor.h"

#include <signal.h>
#include <sys/prctl.h>

#include <cerrno>
#include <utility>

#include "common/log.h"
#include "master/endings.h"
#include "master/endpoint.h"

namespace m2 {
namespace {

// The relay has only to hand on what workers said last.
constexpr uint64_t kRelayDrainMs = 2000;
// Beyond its own limits the end of the server waits this long for the kernel to end processes.
constexpr uint64_t kEndMs = 5000;
constexpr double kLastLookS = 0.02;
// A stop said twice within this is one: Ctrl-C reaches a whole group of processes, and some of them
// pass it on.
constexpr auto kSameStop = std::chrono::milliseconds(500);
// What ps and m2sh see of a master that stops gracefully; m2sh does not tell it twice.
constexpr const char* kDrainingName = "mongrel2-drains";
constexpr double kLogRetryS = 1;

double in_seconds(uint64_t ms) { return static_cast<double>(ms) / 1000; }

}  // namespace

Supervisor::Supervisor(Loop& loop, Setup setup)
    : loop_(loop),
      setup_(std::move(setup)),
      signals_(loop, std::move(setup_.held_signals), *this),
      verdict_(setup_.verdict_path, setup_.files),
      listeners_(setup_.place.jail, std::move(setup_.inherited)),
      children_(loop, setup_.kit, *this),
      resolver_(loop, setup_.look_up, setup_.reader_keeps, *this),
      heartbeat_(loop, children_, setup_.notify),
      held_(loop),
      upgrade_(loop, *this) {}

Status Supervisor::run(Reading first) {
  if (setup_.predecessor != nullptr) {
    begin_as_successor();
  } else {
    const AsJailUser rights(setup_.place.jail);
    remove_stale_sockets(setup_.kit.run_directory, "m2-");  // of a master that was killed
  }
  first_ = std::move(first);
  carry_out(reload_.request());
  if (!ended_) loop_.run();
  if (!owner_ && setup_.predecessor) setup_.predecessor->refuse(failure_);
  listeners_.close_all();
  if (owner_) verdict_.remove();
  if (owner_) setup_.jails.remove();
  if (owner_ && setup_.pid_file) setup_.pid_file->remove();
  return failure_.empty() ? Status() : Status::error(failure_);
}

// ---- signals

void Supervisor::signal_arrived(int number) {
  switch (number) {
    case SIGCHLD:
      collect_ends();
      look_after_log();
      upgrade_.reap();
      return children_.reap();
    case SIGHUP:
      if (mode_ != Mode::kRunning) return log_info("HUP: no reload, the server is stopping");
      if (upgrade_.under_way() || !owner_) {
        reload_due_ = true;
        return log_info("HUP: the reload waits for the end of the upgrade");
      }
      reopen_logs();
      return carry_out(reload_.request());
    case SIGUSR1:
      return reopen_logs();
    case SIGUSR2:
      return upgrade_requested();
    case SIGQUIT:
      return stop_now();
    case SIGTERM:
    case SIGINT:
      return stop_requested();
    default:
      return;
  }
}

void Supervisor::reopen_logs() {
  if (current_.number == 0) return;
  Result<Logs> logs = open_logs(current_.plan, setup_.place, setup_.foreground);
  if (!logs.ok()) {
    return log_error("logs are not reopened, the old ones go on: " + logs.message());
  }
  use_logs(std::move(logs).value());
  log_info("logs reopened");
}

void Supervisor::use_logs(Logs logs) {
  setup_.logs = std::move(logs);
  log_redirect(setup_.logs.error.get());
  if (!setup_.foreground && !setup_.launcher.waiting()) streams_to_log();
  children_.each([this](Child& child) {
    Message message;
    message.type = MessageType::kLogs;
    message.descriptors.push_back(setup_.logs.error.duplicate());
    if (child.role() == Role::kWorker && setup_.logs.access.valid()) {
      message.descriptors.push_back(setup_.logs.access.duplicate());
    }
    for (const OwnedFd& fd : message.descriptors) {
      if (!fd.valid()) return log_error(child.name() + " keeps its logs: no descriptors left");
    }
    child.send(std::move(message));
  });
}

void Supervisor::streams_to_log() {
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(setup_.logs.error.get(), stream) >= 0) continue;
    log_error(Status::from_errno("lead a standard stream to the error log", errno).message());
  }
}

void Supervisor::look_after_log() {
  if (setup_.log_process == nullptr) return;
  const std::optional<unsigned> delay_ms = setup_.log_process->died(setup_.jails);
  if (!delay_ms) return;
  if (*delay_ms == 0) return start_log();  // before anybody has more to say
  log_restart_.start<&Supervisor::start_log>(loop_, *delay_ms / 1000.0, 0, this);
}

void Supervisor::start_log() {
  const Status started = setup_.log_process->start(setup_.logs.error.get(), setup_.jails);
  if (started.ok()) return;
  log_error(started.message());
  log_restart_.start<&Supervisor::start_log>(loop_, kLogRetryS, 0, this);
}

// ---- children

void Supervisor::equip_child(ChildStart& start) {
  const Plan& plan = current_.number != 0 ? current_.plan : candidate_.plan;
  start.log_level = static_cast<LogLevel>(plan.error_log_level);
  start.error_log = setup_.logs.error.duplicate();
  if (start.role == Role::kWorker && setup_.logs.access.valid()) {
    start.access_log = setup_.logs.access.duplicate();
  }
}

void Supervisor::child_born(Child& child) {
  carry_out(reload_.child_born(child.id(), child.name()));
}

void Supervisor::child_message(Child& child, Message message) {
  if (message.type == MessageType::kClients) return pass_on_clients(std::move(message));
  if (message.type == MessageType::kHandlersLeft) return upgrade_.endpoints_left(message.text);
  if (message.type == MessageType::kRetiring) return held_.retiring(child.id(), message.text);
  if (child.leaving) return;
  switch (message.type) {
    case MessageType::kJailed:
      return child_jailed(child, message.text);
    case MessageType::kReady:
      if (!child.jailed) return child_jailed(child, "");
      child.answered();
      return carry_out(reload_.child_ready(child.id(), message.generation));
    case MessageType::kFailed:
      child.answered();
      return carry_out(reload_.child_failed(child.id(), message.generation, message.text));
    case MessageType::kSwapped:
      child.answered();
      child.mark_served(message.generation, loop_.now());
      held_.swapped(message.text);
      carry_out(reload_.child_swapped(child.id(), message.generation));
      announce_workers();
      return move_handlers();
    case MessageType::kSignal:
      if (child.role() == Role::kRelay && owner_) return signal_ourselves(message.number);
      return;
    case MessageType::kLookUp:
      if (mode_ == Mode::kRunning && current_.image.valid()) {
        resolver_.start(current_.image.get());
      }
      return;
    case MessageType::kAlive:
      child.connections = message.number;
      return;
    default:
      log_error(child.name() + " sent a message that no child sends, and is killed");
      child.kill();
  }
}

// One that has more than was asked never serves: at the start nobody does then, later another one
// is started in its place.
void Supervisor::child_jailed(Child& child, const std::string& report) {
  const JailRole role = child.role() == Role::kRelay ? JailRole::kRelay : JailRole::kWorker;
  const std::string weaker =
      setup_.jails.judge(child.name(), role, child.pid(), report, child.given);
  child.jailed = weaker.empty();
  if (child.jailed) return;
  const std::string why = "is not in the jail that was asked for: " + weaker;
  log_error(child.name() + " (process " + std::to_string(child.pid()) + ") " + why +
            "; it is killed");
  child.kill();
  carry_out(reload_.child_gone(child.id(), why));
}

bool Supervisor::resolver_jailed(const std::string& report, const DescriptorCounts& given) {
  const std::string weaker = setup_.jails.judge("resolver", JailRole::kResolver, 0, report, given);
  if (weaker.empty()) return true;
  log_error("names are not looked up again: the resolver is not in the jail that was asked for: " +
            weaker);
  return false;
}

void Supervisor::names_looked_up(OwnedFd addresses) {
  children_.each([&addresses](Child& child) {
    if (child.role() != Role::kWorker || child.leaving) return;
    Message message;
    message.type = MessageType::kAddresses;
    message.descriptors.push_back(addresses.duplicate());
    if (message.descriptors.back().valid()) child.send(std::move(message));
  });
}

// Clients of a worker that retires go to the others in turn.
void Supervisor::pass_on_clients(Message message) {
  if (upgrade_.done()) return upgrade_.pass_on(std::move(message));
  std::vector<Child*> takers;
  children_.each([&takers](Child& child) {
    if (child.role() == Role::kWorker && !child.leaving && child.serves != 0) {
      takers.push_back(&child);
    }
  });
  if (takers.empty()) return;  // they are closed
  takers[clients_passed_on_++ % takers.size()]->send(std::move(message));
}

// Through the kernel, so that it is handled where all signals are.
void Supervisor::signal_ourselves(uint64_t number) {
  for (const int known : {SIGHUP, SIGINT, SIGTERM}) {
    if (number == static_cast<uint64_t>(known)) ::kill(::getpid(), known);
  }
}

void Supervisor::child_silent(Child& child) { carry_out(reload_.child_silent(child.id())); }

void Supervisor::child_gone(Child& child, const std::string& why) {
  const std::string who = child.name() + " (process " + std::to_string(child.pid()) + ")";
  if (child.leaving) {
    log_info(who + " has left: " + why);
  } else {
    log_error(who + " died: " + why);
  }
  if (child.role() == Role::kRelay) {
    children_.each([](Child& other) { other.announced = false; });
  } else {
    if (Child* relay = children_.relay(); child.announced && relay != nullptr) {
      Message message;
      message.type = MessageType::kWorkerDown;
      message.slot = child.slot();
      message.number = child.id();
      relay->send(std::move(message));
    }
    (void)setup_.files.remove_sockets(
        setup_.kit.run_directory,
        "m2-" + std::to_string(child.slot()) + "-" + std::to_string(child.id()) + "-");
  }
  setup_.jails.forget(child.pid());
  carry_out(reload_.child_gone(child.id(), "died: " + why));
  if (upgrade_.done()) say_left(child);
  held_.gone(child.id());
  if (child.slot() >= current_.workers) move_handlers();
  if (mode_ != Mode::kRunning) advance_stop();
}

// ---- the end

void Supervisor::stop_requested() {
  const auto now = std::chrono::steady_clock::now();
  if (mode_ == Mode::kRunning) {
    stop_requested_ = now;
    return stop_gracefully();
  }
  if (now - stop_requested_ < kSameStop) return log_info("stops already: told so twice at once");
  stop_now();
}

void Supervisor::stop_gracefully() {
  if (current_.number == 0) {
    failure_ = "told to stop before it served";
    return stop_now();
  }
  mode_ = Mode::kDraining;
  ::prctl(PR_SET_NAME, kDrainingName, 0, 0, 0);
  const uint64_t drain_ms = current_.plan.drain_ms;
  log_info("stops: what is in flight has " + std::to_string(drain_ms) + " ms to finish");
  if (owner_) setup_.notify.stopping();
  end_undertakings();
  listeners_.close_http();
  children_.each([drain_ms](Child& child) {
    if (child.role() == Role::kWorker && !child.leaving) child.drain(drain_ms);
  });
  limit_the_end(drain_ms);
  advance_stop();
}

// Neither reload, upgrade nor replacement goes on or begins.
void Supervisor::end_undertakings() {
  upgrade_.cancel();
  reader_.reset();
  heartbeat_.stop();
  held_.give_up();
  carry_out(reload_.stop());
  children_.stop_replacing();
}

void Supervisor::limit_the_end(uint64_t drain_ms) {
  end_limit_.start<&Supervisor::stop_now>(loop_, in_seconds(drain_ms + kRelayDrainMs + kEndMs), 0,
                                          this);
}

// Called again while it already ends, it waits no longer.
void Supervisor::stop_now() {
  if (mode_ == Mode::kEnding) {
    ended_ = true;
    return loop_.stop();
  }
  mode_ = Mode::kEnding;
  log_info("stops now");
  if (owner_) setup_.notify.stopping();
  end_undertakings();
  children_.kill_all();
  end_limit_.start<&Supervisor::stop_now>(loop_, in_seconds(kEndMs), 0, this);
  advance_stop();
}

// The relay is last: until then it carries answers of handlers and the notices of workers that end.
void Supervisor::advance_stop() {
  bool workers = false;
  children_.each([&workers](Child& child) { workers |= child.role() == Role::kWorker; });
  Child* relay = children_.relay();
  if (!workers && relay != nullptr && !relay->leaving) relay->drain(kRelayDrainMs);
  if (!children_.empty()) return;
  // What a successor has not taken yet is still here.
  if (!upgrade_.all_sent() && mode_ == Mode::kDraining) {
    return last_look_.start<&Supervisor::advance_stop>(loop_, kLastLookS, 0, this);
  }
  ended_ = true;
  loop_.stop();
}

}  // namespace m2
