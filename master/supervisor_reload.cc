// What a reload asks for, carried out: reading, opening, offering, adopting, and saying what came
// of it. When to do what is decided in reload.cc.
#include <fcntl.h>

#include <cmath>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "master/supervisor.h"

namespace m2 {
namespace {

using Kind = Reload::Action::Kind;

// The config reader limits itself to less: locked file, slow names.
constexpr unsigned kReadingMs = 30'000;

Message message_of(MessageType type, uint64_t generation) {
  Message message;
  message.type = type;
  message.generation = generation;
  return message;
}

std::string summary_of(const Listeners::Count& count, const char* what) {
  std::string text;
  if (count.listeners != 0) text += ", " + count_of(count.listeners, "listener") + what;
  if (count.endpoints != 0) text += ", " + count_of(count.endpoints, "endpoint") + what;
  return text;
}

}  // namespace

// An action may cause the next event at once; its actions follow in order.
void Supervisor::carry_out(Reload::Actions actions) {
  for (Reload::Action& action : actions) pending_.push_back(std::move(action));
  if (acting_) return;
  acting_ = true;
  while (!pending_.empty()) {
    const Reload::Action action = std::move(pending_.front());
    pending_.pop_front();
    act(action);
  }
  acting_ = false;
}

void Supervisor::act(const Reload::Action& action) {
  Child* child = action.child == 0 ? nullptr : children_.find(action.child);
  if (action.child != 0 && (child == nullptr || child->leaving)) return;
  switch (action.kind) {
    case Kind::kRead:
      return start_reading();
    case Kind::kOpen:
      return open_candidate(action.generation);
    case Kind::kPrepare:
      return prepare(*child, action.generation);
    case Kind::kCommit:
      child->send(message_of(MessageType::kCommit, action.generation));
      return child->expect_answer(current_.number != 0 ? current_.plan.prepare_ms
                                                       : candidate_.plan.prepare_ms);
    case Kind::kAbort:
      child->send(message_of(MessageType::kAbort, action.generation));
      return child->answered();
    case Kind::kKill:
      log_error(child->name() + " " + action.text + "; it is killed");
      return child->kill();
    case Kind::kAdopt:
      return adopt();
    case Kind::kDiscard:
      return discard();
    case Kind::kServes:
      return report_serves();
    case Kind::kRefused:
      return report_refused(action.text);
  }
}

void Supervisor::start_reading() {
  held_.begin();
  reload_began_s_ = loop_.now();
  if (moving_) {
    candidate_.plan = current_.plan;
    candidate_.image = current_.image.duplicate();
    candidate_.workers = current_.workers;
    return carry_out(reload_.plan_accepted());
  }
  if (first_) return reading_done(*std::exchange(first_, std::nullopt));
  log_info("reload: reading the configuration");
  setup_.notify.reloading();
  const int image = current_.image.get();
  std::vector<int> keeps = setup_.reader_keeps;
  if (image >= 0) keeps.push_back(image);
  const auto body = [this, image](int channel) { return setup_.read(channel, image); };
  reader_ = std::make_unique<ConfigReader>(loop_, body, std::move(keeps), *this);
  reader_->start(kReadingMs);
}

void Supervisor::reading_done(Reading reading) {
  reader_.reset();
  for (const Reading::Line& line : reading.findings) {
    log_line(line.error ? LogLevel::kError : LogLevel::kWarn, line.text);
  }
  if (!reading.plan) return carry_out(reload_.plan_refused(reading.errors()));
  const std::string weaker =
      setup_.jails.judge("config reader", JailRole::kConfigReader, 0, reading.jail, reading.given);
  if (!weaker.empty()) {
    return carry_out(
        reload_.plan_refused("the config reader is not in the jail that was asked for: " + weaker));
  }
  if (current_.number != 0) {
    Status changeable = check_changeable(current_.plan, *reading.plan);
    if (changeable.ok()) changeable = check_reachable(setup_.place.jail, *reading.plan);
    if (changeable.ok()) changeable = check_author(setup_.place, reading.author);
    if (!changeable.ok()) return carry_out(reload_.plan_refused(changeable.message()));
  }
  candidate_.plan = std::move(*reading.plan);
  candidate_.image = std::move(reading.image);
  candidate_.workers = worker_count(candidate_.plan, setup_.workers);
  carry_out(reload_.plan_accepted());
}

// First whatever can fail without anybody noticing, then the children that are missing.
void Supervisor::open_candidate(uint64_t number) {
  candidate_.number = number;
  const Plan& plan = candidate_.plan;
  const bool other_logs = current_.number != 0 && (plan.error_log != current_.plan.error_log ||
                                                   plan.access_log != current_.plan.access_log);
  if (other_logs) {
    Result<Logs> logs = open_logs(plan, setup_.place, setup_.foreground);
    if (!logs.ok()) return carry_out(reload_.open_failed(logs.message()));
    candidate_logs_ = std::move(logs).value();
  }
  Result<Listeners::Count> opened = listeners_.open(plan);
  if (!opened.ok()) return carry_out(reload_.open_failed(opened.message()));
  opened_ = opened.value();
  if (!opened_.no_control.empty()) {
    log_warn("the control port (server.control_port " + plan.control_port +
             ") is not there: " + opened_.no_control +
             "; the server serves without it, and the next reload tries again");
    candidate_.plan.control_port.clear();
  }
  if (Status staffed = children_.staff(candidate_.workers); !staffed.ok()) {
    return carry_out(reload_.open_failed(staffed.message()));
  }
  candidate_.users = users_of_handlers(candidate_.workers);
  std::vector<Reload::ChildId> participants;
  children_.each([&](Child& child) {
    const bool stays = child.role() == Role::kRelay || child.slot() < candidate_.workers;
    if (stays && !child.leaving) participants.push_back(child.id());
  });
  carry_out(reload_.opened(participants));
}

void Supervisor::prepare(Child& child, uint64_t generation) {
  const PlannedGeneration& wanted = generation == candidate_.number ? candidate_ : current_;
  CHECK(wanted.number == generation);
  Status offered = offer(child, wanted);
  Message message = message_of(MessageType::kPrepare, generation);
  message.number = wanted.users;
  message.descriptors.push_back(wanted.image.duplicate());
  if (offered.ok() && !message.descriptors.back().valid()) {
    offered = Status::error("no descriptors left in the master");
  }
  if (!offered.ok()) {
    return carry_out(reload_.child_failed(child.id(), generation, offered.message()));
  }
  child.send(std::move(message));
  child.expect_answer(wanted.plan.prepare_ms);
}

// Everything the generation needs, each time: a child keeps what it has and closes the duplicates.
Status Supervisor::offer(Child& child, const PlannedGeneration& generation) {
  tell_held(child);
  const std::vector<std::string> keys =
      child.role() == Role::kRelay ? Listeners::relay_keys(generation.plan, generation.users)
                                   : Listeners::worker_keys(generation.plan, generation.users);
  Message message = message_of(MessageType::kOffer, generation.number);
  for (const std::string& key : keys) {
    const bool full = message.descriptors.size() == kMessageDescriptorsMax ||
                      message.text.size() + key.size() + 1 > kMessageTextMax;
    if (full) {
      child.send(std::exchange(message, message_of(MessageType::kOffer, generation.number)));
    }
    OwnedFd socket(::fcntl(listeners_.fd(key), F_DUPFD_CLOEXEC, 0));
    if (!socket.valid()) return Status::error("no descriptors left in the master");
    if (!message.text.empty()) message.text += '\n';
    message.text += key;
    message.descriptors.push_back(std::move(socket));
  }
  if (!message.descriptors.empty()) child.send(std::move(message));
  return {};
}

// Who has connected to a listener that goes is taken in by the workers all the same.
void Supervisor::close_all_but(const Plan& plan) {
  Message message = message_of(MessageType::kClients, 0);
  const auto pass_on = [&] {
    if (message.descriptors.empty()) return;
    pass_on_clients(std::exchange(message, message_of(MessageType::kClients, 0)));
  };
  closed_ = listeners_.keep_only(plan, [&](OwnedFd client, const PlanListener& listener) {
    if (!message.descriptors.empty()) message.text += '\n';
    if (listener.proxy_protocol) message.text += kClientSendsProxyHeader;
    message.descriptors.push_back(std::move(client));
    if (message.descriptors.size() == kMessageDescriptorsMax) pass_on();
  });
  pass_on();
}

void Supervisor::adopt() {
  close_all_but(candidate_.plan);
  current_ = std::exchange(candidate_, {});
  log_set_level(static_cast<LogLevel>(current_.plan.error_log_level));
  if (candidate_logs_) use_logs(*std::exchange(candidate_logs_, std::nullopt));
  raise_file_limit(current_.plan.file_limit, !setup_.place.bounded);
  retire(current_.workers, current_.plan.drain_ms);
  // With one worker the relay lets go of it by itself; with several again, it is told again. Those
  // that leave stay known, so that their end is told.
  if (current_.users > 1) return;
  children_.each([](Child& child) { child.announced = child.announced && child.leaving; });
}

void Supervisor::discard() {
  candidate_ = {};
  candidate_logs_.reset();
  if (current_.number == 0) return;  // the server ends
  close_all_but(current_.plan);
  retire(current_.workers, 0);
}

void Supervisor::retire(unsigned workers, uint64_t drain_ms) {
  children_.each([&](Child& child) {
    if (child.role() == Role::kRelay || child.slot() < workers || child.leaving) return;
    carry_out(reload_.child_gone(child.id(), "is told to leave"));
    if (child.serves != 0) held_.await(child.id());
  });
  children_.retire(workers, drain_ms);
}

// With one worker its handlers need no relay, but workers that retire do, for the end of their
// uploads and for answers. So handlers stay there until the last of these has gone.
unsigned Supervisor::users_of_handlers(unsigned workers) {
  unsigned users = workers;
  if (current_.users <= 1) return users;
  children_.each([&](Child& child) {
    if (child.role() != Role::kWorker) return;
    if (child.leaving || child.slot() >= workers) ++users;
  });
  return users;
}

// Then the same configuration is a generation once more, with the endpoints in other hands. If that
// fails the relay goes on, and with the next child that comes or goes it is tried again.
void Supervisor::move_handlers() {
  if (mode_ != Mode::kRunning || !owner_ || upgrade_.under_way() || reload_.busy()) return;
  if (current_.workers != 1 || current_.users == 1 || users_of_handlers(1) != 1) return;
  moving_ = true;
  carry_out(reload_.request());
}

void Supervisor::say_moved(const std::string& what_came_of_it) {
  moving_ = false;
  log_info("the workers that retired have ended; " + what_came_of_it);
  if (std::exchange(upgrade_due_, false)) upgrade_requested();
}

// A relay that serves is told once of each worker that serves.
void Supervisor::announce_workers() {
  Child* relay = children_.relay();
  if (relay == nullptr || relay->serves != current_.number) return;
  children_.each([&](Child& child) {
    const bool due = child.role() == Role::kWorker && child.serves == current_.number;
    if (!due || child.announced || child.leaving) return;
    Message message = message_of(MessageType::kWorkerUp, current_.number);
    message.slot = child.slot();
    message.number = child.id();
    relay->send(std::move(message));
    child.announced = true;
  });
}

void Supervisor::report_serves() {
  const double ms = std::round((loop_.now() - reload_began_s_) * 1000);
  if (moving_) {
    return say_moved("generation " + std::to_string(current_.number) +
                     " gives the endpoints of handlers to the worker that stays");
  }
  held_.when_complete([this, ms] { say_serves(ms); });
}

void Supervisor::say_serves(double ms) {
  const bool first = current_.number == 1;
  const std::string held = held_.text();
  const std::string text =
      "generation " + std::to_string(current_.number) +
      " serves: " + count_of(current_.workers, "worker") + summary_of(opened_, " opened") +
      summary_of(closed_, " closed") + "; " + (first ? "" : current_.plan.changes + "; ") +
      (held.empty() ? "" : held + "; ") + std::to_string(static_cast<long long>(ms)) + " ms";
  log_info((first ? "start: " : "reload: ") + text);
  for (const std::string& line : listeners_.unused()) log_warn(line);
  if (!owner_) {
    serves_text_ = text;
    return setup_.predecessor->serves(text);
  }
  say_verdict(text);
  if (!setup_.launcher.waiting()) return;
  // From here on nobody waits at the terminal: what still goes to stderr belongs into the log.
  streams_to_log();
  setup_.launcher.ready();
}

void Supervisor::say_verdict(const std::string& text) {
  verdict_.write(true, text);
  setup_.notify.ready(text);
  heartbeat_.watch(current_.plan.heartbeat_ms, text);
  if (std::exchange(upgrade_due_, false)) upgrade_requested();
}

void Supervisor::report_refused(const std::string& why) {
  if (moving_) return say_moved("the endpoints of handlers stay with the relay for now: " + why);
  if (current_.number == 0) {
    failure_ = why;  // main says so on stderr, which in the foreground is the error log
    if (!setup_.foreground) log_error("start refused: " + why);
    return stop_now();
  }
  const std::string text =
      "reload refused, generation " + std::to_string(current_.number) + " goes on: " + why;
  log_error(text);
  verdict_.write(false, why);
  setup_.notify.ready(text);
  if (std::exchange(upgrade_due_, false)) upgrade_requested();
  move_handlers();
}

}  // namespace m2
