#include "master/upgrade.h"

#include <sys/wait.h>

#include "common/log.h"
#include "master/endings.h"
#include "master/reap.h"
#include "master/spawn.h"

namespace m2 {
namespace {

// The pid file is written in this time, or the disk hangs.
constexpr uint64_t kTakeOverMs = 10'000;
// Between the end of its channel and that of the process, or the other way round.
constexpr double kLastWordsS = 0.3;

double in_seconds(uint64_t ms) { return static_cast<double>(ms) / 1000; }

}  // namespace

Upgrade::~Upgrade() { forget(); }

Status Upgrade::begin(Start start) {
  Result<std::pair<OwnedFd, OwnedFd>> ends = channel_pair();
  if (!ends.ok()) return std::move(ends).status();
  const OwnedFd theirs = std::move(ends.value().second);
  SpawnPlan plan{.name = "m2-upgrade", .keep = start.keep};
  plan.keep.push_back(theirs.get());
  Result<pid_t> pid = spawn(plan, [&] { return start.launch(theirs.get()); });
  if (!pid.ok()) return std::move(pid).status();
  launcher_ = pid.value();
  launcher_status_.reset();
  successor_ = -1;
  failure_.clear();
  start_ = std::move(start);
  ChannelUser& user = *this;
  channel_ = std::make_unique<Channel>(loop_, std::move(ends.value().first), user);
  wait_for(State::kStarted, start_.hello_ms);
  return {};
}

void Upgrade::wait_for(State state, uint64_t limit_ms) {
  state_ = state;
  limit_.start<&Upgrade::limit_passed>(loop_, in_seconds(limit_ms), 0, this);
}

void Upgrade::channel_message(Message message) {
  if (!under_way() || message.type != MessageType::kUpgrade) return;
  switch (upgrade_word(message)) {
    case UpgradeWord::kHello:
      return state_ == State::kStarted ? hello(message) : void();
    case UpgradeWord::kServes:
      return state_ == State::kPreparing ? served() : void();
    case UpgradeWord::kTaken:
      return state_ == State::kHandingOver ? taken() : void();
    case UpgradeWord::kRefused:
      // Told from the timer: the channel must not be destroyed here.
      failure_ = message.text;
      return why_.start<&Upgrade::look_why>(loop_, 0, 0, this);
    default:
      return;
  }
}

void Upgrade::hello(const Message& message) {
  if (message.generation != kUpgradeVersion) {
    failure_ = "the new program (Mongrel2 " + message.text + ") hands over in version " +
               std::to_string(message.generation) + ", this one in version " +
               std::to_string(kUpgradeVersion) + "; restart the server instead";
    channel_->send(upgrade_message(UpgradeWord::kRefused, failure_));
    return why_.start<&Upgrade::look_why>(loop_, 0, 0, this);
  }
  successor_ = static_cast<pid_t>(message.number);
  log_info("upgrade: Mongrel2 " + message.text + " starts as process " +
           std::to_string(successor_));
  offer();
  wait_for(State::kPreparing, start_.serves_ms);
}

void Upgrade::offer() {
  Message batch = upgrade_message(UpgradeWord::kSockets);
  for (auto& [key, socket] : start_.sockets) {
    const bool full = batch.descriptors.size() == kMessageDescriptorsMax ||
                      batch.text.size() + key.size() + 1 > kMessageTextMax;
    if (full) channel_->send(std::exchange(batch, upgrade_message(UpgradeWord::kSockets)));
    if (!batch.text.empty()) batch.text += '\n';
    batch.text += key;
    batch.descriptors.push_back(std::move(socket));
  }
  start_.sockets.clear();
  if (!batch.descriptors.empty()) channel_->send(std::move(batch));
  Message facts = upgrade_message(UpgradeWord::kOffer);
  facts.generation = start_.verdicts;
  facts.number = start_.incarnation;
  channel_->send(std::move(facts));
}

// The launcher goes first: it was there to know how the new one ends, and a service manager
// adopts only the child of nobody.
void Upgrade::served() {
  wait_for(State::kHandingOver, kTakeOverMs);
  end_launcher();
  user_.successor_serves();
  channel_->send(upgrade_message(UpgradeWord::kYours));
}

void Upgrade::end_launcher() {
  if (launcher_ <= 0) return;
  if (!take_end(launcher_)) {
    kill_child(launcher_);
    ::waitpid(launcher_, nullptr, 0);
  }
  forget_end(std::exchange(launcher_, -1));
}

void Upgrade::taken() {
  limit_.stop();
  why_.stop();
  state_ = State::kDone;
  user_.successor_took_over();
  channel_->send(upgrade_message(UpgradeWord::kOwner));
}

void Upgrade::pass_on(Message clients) {
  if (channel_ == nullptr) return;
  Message message = upgrade_message(UpgradeWord::kClients, std::move(clients.text));
  message.descriptors = std::move(clients.descriptors);
  channel_->send(std::move(message));
}

void Upgrade::endpoints_left(std::string keys) {
  if (channel_ == nullptr) return;
  channel_->send(upgrade_message(UpgradeWord::kLeft, std::move(keys)));
}

void Upgrade::reap() {
  const std::optional<int> status = launcher_ > 0 ? take_end(launcher_) : std::nullopt;
  if (!status) return;
  launcher_ = -1;
  launcher_status_ = status;
  if (under_way()) why_.start<&Upgrade::look_why>(loop_, kLastWordsS, 0, this);
}

void Upgrade::channel_closed(const std::string&) {
  channel_.reset();
  if (state_ == State::kDone) return log_warn("upgrade: the new server has ended");
  if (under_way()) why_.start<&Upgrade::look_why>(loop_, kLastWordsS, 0, this);
}

void Upgrade::look_why() {
  reap();
  if (!failure_.empty()) return refuse(failure_);
  refuse("the new program " +
         (launcher_status_ ? exit_reason(*launcher_status_) + " before it served"
                           : std::string("closed its channel before it served")) +
         "; what it said is in the error log");
}

void Upgrade::limit_passed() {
  const bool hello = state_ == State::kStarted;
  refuse("the new program " +
         std::string(hello ? "has not said that it is one within " : "does not serve within ") +
         std::to_string(hello ? start_.hello_ms : start_.serves_ms) + " ms");
}

void Upgrade::refuse(const std::string& why) {
  const std::string text = why;  // failure_ itself perhaps
  forget();
  user_.upgrade_refused(text);
}

void Upgrade::cancel() {
  if (under_way()) forget();
}

// The launcher takes a new program along that does not serve yet; one that does ends by itself when
// its channel does.
void Upgrade::forget() {
  limit_.stop();
  why_.stop();
  channel_.reset();
  end_launcher();
  start_ = {};
  state_ = State::kNone;
}

}  // namespace m2
