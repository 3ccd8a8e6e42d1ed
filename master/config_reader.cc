#include "master/config_reader.h"

#include <utility>

#include "common/sealed_memory.h"
#include "master/endings.h"
#include "master/reap.h"
#include "master/spawn.h"

namespace m2 {
namespace {

// Of one line for people.
constexpr size_t kErrorsBytes = 8 * 1024;
constexpr double kPollS = 0.005;
constexpr unsigned kPollsMax = 200;  // one second; a process that is being killed needs far less

}  // namespace

std::string Reading::errors() const {
  std::string text;
  size_t left = 0;
  for (const Line& line : findings) {
    if (!line.error) continue;
    if (!text.empty() && text.size() + line.text.size() > kErrorsBytes) {
      ++left;
      continue;
    }
    text += (text.empty() ? "" : "; also: ") + line.text;
  }
  if (text.empty()) return "the configuration reader gave no reason";
  return left == 0 ? text : text + "; and " + std::to_string(left) + " more, see the error log";
}

ConfigReader::ConfigReader(Loop& loop, Body body, std::vector<int> keep, ReadingUser& user)
    : loop_(loop), body_(std::move(body)), keep_(std::move(keep)), user_(user) {}

ConfigReader::~ConfigReader() {
  if (pid_ <= 0) return;
  kill_child(pid_);
  forget_end(pid_);
}

void ConfigReader::start(unsigned limit_ms) {
  if (Status forked = fork_child(); !forked.ok()) {
    refuse("cannot start the configuration reader: " + forked.message());
    ended_.start<&ConfigReader::finish>(loop_, 0, 0, this);  // never from inside start()
    return;
  }
  limit_.start<&ConfigReader::limit_passed>(loop_, limit_ms / 1000.0, 0, this);
}

Status ConfigReader::fork_child() {
  Result<std::pair<OwnedFd, OwnedFd>> ends = channel_pair();
  if (!ends.ok()) return std::move(ends).status();
  const OwnedFd child_end = std::move(ends.value().second);
  SpawnPlan plan{.name = "m2-config", .keep = keep_};
  plan.keep.push_back(child_end.get());
  reading_.given = given_to(plan);
  Result<pid_t> pid = spawn(plan, [&] { return body_(child_end.get()); });
  if (!pid.ok()) return std::move(pid).status();
  pid_ = pid.value();
  ChannelUser& user = *this;
  channel_ = std::make_unique<Channel>(loop_, std::move(ends.value().first), user);
  return {};
}

void ConfigReader::refuse(std::string why) {
  reading_.plan.reset();
  reading_.findings.push_back({true, std::move(why)});
}

void ConfigReader::channel_message(Message message) {
  if (verdict_) return;  // nothing counts after it
  switch (message.type) {
    case MessageType::kAuthor:
      take_author(message);
      break;
    case MessageType::kFinding:
      if (reading_.findings.size() < kFindingsMax) {
        reading_.findings.push_back({message.number != 0, std::move(message.text)});
      }
      break;
    case MessageType::kJailed:
      reading_.jail = std::move(message.text);
      break;
    case MessageType::kPlan:
      verdict_ = true;
      take_plan(std::move(message));
      break;
    case MessageType::kRefused:
      verdict_ = true;
      break;
    default:
      verdict_ = true;
      refuse("the configuration reader sent a message that is not one of its own");
  }
}

// Said once, before the reader gives up its rights and looks into a file that could take it over.
void ConfigReader::take_author(const Message& message) {
  Result<Author> author = read_author(message.text);
  if (!authored_ && author.ok()) {
    reading_.author = std::move(author).value();
    authored_ = true;
    return;
  }
  verdict_ = true;
  refuse("the configuration reader: " +
         (author.ok() ? "names a second author of the database" : author.message()));
}

void ConfigReader::take_plan(Message message) {
  if (!authored_) return refuse("the configuration reader names no author of the database");
  if (message.descriptors.size() != 2) {
    return refuse("the configuration reader sent a plan without its files");
  }
  Result<SealedView> bytes = SealedView::map(message.descriptors[0].get(), kPlanBytesMax);
  Result<Plan> plan =
      bytes.ok() ? read_plan(bytes.value().bytes()) : Result<Plan>(std::move(bytes).status());
  if (!plan.ok()) return refuse("the plan of the configuration reader: " + plan.message());
  const std::vector<std::string> faults = beyond_rights(plan.value(), reading_.author);
  for (const std::string& fault : faults) refuse(fault);
  if (!faults.empty()) return;
  reading_.plan = std::move(plan).value();
  reading_.image = std::move(message.descriptors[1]);
}

// Its channel goes first: one that hangs in the kernel, unkillable for now, is not waited for.
void ConfigReader::limit_passed() {
  refuse("reading the configuration takes too long; given up");
  verdict_ = true;
  channel_.reset();
  ended_.start<&ConfigReader::look_whether_ended>(loop_, 0, kPollS, this);
}

// The reason of its end is known a moment after its last word.
void ConfigReader::channel_closed(const std::string& why) {
  limit_.stop();
  if (!verdict_ && why != "closed by its peer") refuse("the configuration reader: " + why);
  ended_.start<&ConfigReader::look_whether_ended>(loop_, 0, kPollS, this);
}

void ConfigReader::look_whether_ended() {
  const std::optional<int> status = take_end(pid_);
  if (!status && ++polls_ < kPollsMax) {
    kill_child(pid_);  // without its channel it has nothing left to do
    return;
  }
  forget_end(std::exchange(pid_, -1));
  if (!verdict_) {
    refuse("the configuration reader gave no verdict: it was " +
           (status ? exit_reason(*status) : std::string("still there and was killed")));
  }
  finish();
}

void ConfigReader::finish() {
  limit_.stop();
  ended_.stop();
  user_.reading_done(std::move(reading_));
}

namespace {

struct KeepReading final : ReadingUser {
  explicit KeepReading(Loop& loop) : running(loop) {}
  void reading_done(Reading done) override {
    reading = std::move(done);
    running.stop();
  }
  Loop& running;
  Reading reading;
};

}  // namespace

Reading read_once(const ConfigReader::Body& body, const std::vector<int>& keep, unsigned limit_ms) {
  Loop loop;
  KeepReading result(loop);
  ConfigReader reader(loop, body, keep, result);
  reader.start(limit_ms);
  loop.run();
  return std::move(result.reading);
}

}  // namespace m2
