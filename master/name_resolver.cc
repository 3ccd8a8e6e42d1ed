#include "master/name_resolver.h"

#include <utility>

#include "common/log.h"
#include "master/endings.h"
#include "master/spawn.h"

namespace m2 {
namespace {

// Workers keep a pause of their own, proxy.resolve_ms; this is for many of them.
constexpr double kPauseS = 1;
// The child limits itself to less.
constexpr double kLimitS = 15;
constexpr double kPollS = 0.005;
constexpr unsigned kPollsMax = 200;

}  // namespace

NameResolver::NameResolver(Loop& loop, Body body, std::vector<int> keep, NameResolverUser& user)
    : loop_(loop), body_(std::move(body)), keep_(std::move(keep)), user_(user) {}

NameResolver::~NameResolver() {
  if (pid_ <= 0) return;
  kill_child(pid_);
  forget_end(pid_);
}

void NameResolver::start(int image) {
  if (pid_ > 0 || (started_at_s_ != 0 && loop_.now() - started_at_s_ < kPauseS)) return;
  started_at_s_ = loop_.now();
  Result<std::pair<OwnedFd, OwnedFd>> ends = channel_pair();
  if (!ends.ok()) return log_error("names are not looked up again: " + ends.message());
  const OwnedFd child_end = std::move(ends.value().second);
  SpawnPlan plan{.name = "m2-resolver", .keep = keep_};
  plan.keep.push_back(child_end.get());
  plan.keep.push_back(image);
  given_ = given_to(plan);
  const Result<pid_t> pid = spawn(plan, [&] { return body_(image, child_end.get()); });
  if (!pid.ok()) return log_error("names are not looked up again: " + pid.message());
  pid_ = pid.value();
  polls_ = 0;
  jailed_ = false;
  ChannelUser& user = *this;
  channel_ = std::make_unique<Channel>(loop_, std::move(ends.value().first), user);
  limit_.start<&NameResolver::limit_passed>(loop_, kLimitS, 0, this);
}

void NameResolver::channel_message(Message message) {
  if (message.type == MessageType::kJailed) {
    jailed_ = user_.resolver_jailed(message.text, given_);
    return;
  }
  const bool found =
      message.type == MessageType::kAddresses && message.descriptors.size() == 1 && jailed_;
  if (found) return user_.names_looked_up(std::move(message.descriptors[0]));
  if (message.type == MessageType::kFinding) return log_warn(message.text);
  log_error("the resolver sent a message that is not one of its own");
}

// Never destroys the channel within its own call.
void NameResolver::channel_closed(const std::string&) {
  ended_.start<&NameResolver::end>(loop_, 0, kPollS, this);
}

void NameResolver::limit_passed() {
  log_warn("looking names up again takes too long; given up");
  end();
}

// It has said all, or is not waited for. One that hangs in the kernel is forgotten after a second.
void NameResolver::end() {
  limit_.stop();
  channel_.reset();
  if (polls_++ == 0) {
    kill_child(pid_);
    ended_.start<&NameResolver::end>(loop_, 0, kPollS, this);
  }
  if (!take_end(pid_) && polls_ < kPollsMax) return;
  ended_.stop();
  forget_end(std::exchange(pid_, -1));
}

}  // namespace m2
