// Another master in our place, or we in another's: what an upgrade asks of the supervisor. The
// conversation itself is upgrade.h (the old side) and predecessor.h (the new side).
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "common/log.h"
#include "master/supervisor.h"

namespace m2 {
namespace {

// Beyond reload.prepare_ms: reading the database.
constexpr uint64_t kReadingMs = 30'000;

}  // namespace

// ---- the old side

void Supervisor::upgrade_requested() {
  if (mode_ != Mode::kRunning) return log_info("USR2: no upgrade, the server is stopping");
  if (upgrade_.under_way()) return log_info("USR2: an upgrade is under way already");
  if (reload_.busy()) {
    upgrade_due_ = true;
    return log_info("USR2: the upgrade begins after the reload");
  }
  Status begun;
  if (::getpid() == 1 || !setup_.launch) {
    begun = Status::error(
        "the server is process 1, with whose end a container ends; start a new container");
  } else if (setup_.predecessor != nullptr) {
    begun = Status::error("process " + std::to_string(setup_.predecessor->pid()) +
                          " of the upgrade before has not finished yet; try again when it has");
  } else {
    begun = begin_upgrade();
  }
  if (!begun.ok()) upgrade_refused(begun.message());
}

Status Supervisor::begin_upgrade() {
  log_info("upgrade: starting the new program");
  Upgrade::Start start;
  start.launch = setup_.launch;
  start.keep = setup_.reader_keeps;
  for (const int fd : listeners_.inherited().descriptors()) start.keep.push_back(fd);
  start.sockets = listeners_.duplicates();
  for (const auto& [key, socket] : start.sockets) {
    if (!socket.valid()) return Status::error("no descriptors left in the master");
  }
  start.incarnation = children_.latest_incarnation();
  start.verdicts = verdict_.count();
  start.hello_ms = current_.plan.prepare_ms;
  start.serves_ms = kReadingMs + current_.plan.prepare_ms;
  return upgrade_.begin(std::move(start));
}

void Supervisor::successor_serves() {
  if (setup_.pid_file) setup_.pid_file->let_go();
}

void Supervisor::upgrade_refused(const std::string& why) {
  const std::string text = "upgrade refused, this server goes on: " + why;
  log_error(text);
  if (setup_.pid_file && !setup_.pid_file->held()) {
    Result<PidFile> again = setup_.take_pid_file(0);
    if (!again.ok()) {
      log_error(again.message());
    } else {
      setup_.pid_file = std::move(again).value();
    }
  }
  verdict_.write(false, "upgrade refused: " + why);
  if (std::exchange(reload_due_, false)) signal_arrived(SIGHUP);
  move_handlers();
}

// From here on we answer for nothing but what is in flight. Clients between two requests go to the
// new one, and handlers as soon as nothing is owed to us.
void Supervisor::successor_took_over() {
  const Plan& plan = current_.plan;
  log_info("upgrade: process " + std::to_string(upgrade_.successor()) +
           " has taken over; what is in flight has " + std::to_string(plan.drain_ms) +
           " ms to finish, handlers are let go within " + std::to_string(plan.handlers_ms) + " ms");
  setup_.notify.main_pid(upgrade_.successor());
  owner_ = false;
  mode_ = Mode::kDraining;
  heartbeat_.stop();
  held_.give_up();
  setup_.jails.keep_quiet(true);
  carry_out(reload_.stop());
  children_.stop_replacing();
  listeners_.disown();
  listeners_.close_all();
  children_.each([&plan](Child& child) {
    if (child.role() == Role::kWorker && !child.leaving) child.retire(plan.drain_ms);
    Message message;
    message.type = MessageType::kLeaveHandlers;
    message.number = plan.handlers_ms;
    child.send(std::move(message));
  });
  if (std::exchange(reload_due_, false)) ::kill(upgrade_.successor(), SIGHUP);
  limit_the_end(plan.drain_ms);
  advance_stop();
}

// Whatever it had not said itself.
void Supervisor::say_left(const Child& child) {
  const Plan& plan = current_.plan;
  const unsigned users = current_.users;
  const bool relay = child.role() == Role::kRelay;
  std::set<std::string> keys;
  for (const std::string& key :
       relay ? Listeners::relay_keys(plan, users) : Listeners::worker_keys(plan, users)) {
    if (key.starts_with("zmq ")) keys.insert(key);
  }
  for (std::string& batch : in_batches(keys)) upgrade_.endpoints_left(std::move(batch));
}

// ---- the new side

void Supervisor::begin_as_successor() {
  owner_ = false;
  setup_.jails.keep_quiet(true);
  for (auto& [key, socket] : setup_.predecessor->take_sockets()) {
    if (key.starts_with("zmq ")) held_keys_.insert(key);
    listeners_.adopt(key, std::move(socket));
  }
  children_.begin_after(setup_.predecessor->incarnation());
  verdict_.count_from(setup_.predecessor->verdicts());
  setup_.predecessor->watch(loop_, *this);
}

void Supervisor::told_to_take_over() {
  Result<PidFile> taken = setup_.take_pid_file(setup_.predecessor->pid());
  if (taken.ok()) {
    setup_.pid_file = std::move(taken).value();
    return setup_.predecessor->taken();
  }
  setup_.predecessor->refuse(taken.message());
  failure_ = taken.message();
  stop_gracefully();
}

void Supervisor::owns_now() {
  owner_ = true;
  listeners_.own();
  setup_.jails.keep_quiet(false);
  if (mode_ != Mode::kRunning || current_.number == 0) return;
  close_all_but(current_.plan);
  say_verdict("upgrade: Mongrel2 " M2_VERSION ", process " + std::to_string(::getpid()) + "; " +
              serves_text_);
  held_limit_.start<&Supervisor::release_all>(loop_, held_limit_s(), 0, this);
  if (std::exchange(reload_due_, false)) signal_arrived(SIGHUP);
}

// The old one promises less; this is for one that hangs.
double Supervisor::held_limit_s() const {
  constexpr uint64_t kGraceMs = 5000;
  return static_cast<double>(current_.plan.handlers_ms + kGraceMs) / 1000;
}

void Supervisor::clients_handed_over(Message message) {
  message.type = MessageType::kClients;
  pass_on_clients(std::move(message));
}

void Supervisor::endpoints_left(const std::string& keys) {
  for_each_key(keys, [this](std::string_view key) { held_keys_.erase(std::string(key)); });
  children_.each([&keys](Child& child) {
    Message message;
    message.type = MessageType::kListen;
    message.text = keys;
    child.send(std::move(message));
  });
}

// Before a PREPARE: what of its sockets is not to be used yet.
void Supervisor::tell_held(Child& child) {
  for (const std::string& keys : in_batches(held_keys_)) {
    Message message;
    message.type = MessageType::kHold;
    message.text = keys;
    child.send(std::move(message));
  }
}

std::vector<std::string> Supervisor::in_batches(const std::set<std::string>& keys) {
  std::vector<std::string> batches;
  for (const std::string& key : keys) {
    if (batches.empty() || batches.back().size() + key.size() + 1 > kMessageTextMax) {
      batches.emplace_back(key);
    } else {
      batches.back() += '\n' + key;
    }
  }
  return batches;
}

void Supervisor::release_all() {
  for (const std::string& keys : in_batches(held_keys_)) endpoints_left(keys);
}

void Supervisor::predecessor_gone() {
  held_limit_.stop();
  release_all();
  const long pid = setup_.predecessor->pid();
  if (owner_) {
    log_info("upgrade: process " + std::to_string(pid) + " has ended");
    setup_.predecessor.reset();
    return;
  }
  if (mode_ != Mode::kRunning) return;
  failure_ = "the server that was to be replaced (process " + std::to_string(pid) +
             ") does not go on with it";
  current_.number == 0 ? stop_now() : stop_gracefully();
}

}  // namespace m2
