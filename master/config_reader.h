// The master's end of the config reader: a child that lives for one reading of the database and can
// do no harm to the master whatever is in the file. What runs in it: config_child.h.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/descriptor_kinds.h"
#include "common/loop.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/channel.h"
#include "common/treaty/plan.h"
#include "master/author.h"

namespace m2 {

inline constexpr size_t kPlanBytesMax = 16u << 20;
inline constexpr size_t kFindingsMax = 1000;

// What came of one reading.
struct Reading {
  struct Line {
    bool error = false;
    std::string text;
  };
  std::vector<Line> findings;  // at most kFindingsMax
  std::optional<Plan> plan;    // none: refused
  Author author;               // who decides what is in plan; the plan is within his rights
  OwnedFd image;               // sealed; the master never looks into it
  std::string jail;            // what the reader said it had (JailBook::judge)
  DescriptorCounts given{};    // what it was born with

  // All errors, for a verdict of one line; of very many the first.
  std::string errors() const;
};

class ReadingUser {
 public:
  // Once for each start(). The reader may be destroyed in the call.
  virtual void reading_done(Reading reading) = 0;

 protected:
  ~ReadingUser() = default;
};

class ConfigReader final : private ChannelUser {
 public:
  // What the child does: it sends its findings and its verdict to the channel it is given.
  using Body = std::function<int(int channel)>;

  // keep: descriptors that the body needs. Everything must outlive the reader.
  ConfigReader(Loop& loop, Body body, std::vector<int> keep, ReadingUser& user);
  // Kills a child that still reads.
  ~ConfigReader();

  // limit_ms: then it is killed, which is one more way to be refused.
  void start(unsigned limit_ms);

 private:
  void channel_message(Message message) override;
  void channel_closed(const std::string& why) override;
  Status fork_child();
  void take_author(const Message& message);
  void take_plan(Message message);
  void refuse(std::string why);
  void limit_passed();
  void look_whether_ended();
  void finish();

  Loop& loop_;
  const Body body_;
  const std::vector<int> keep_;
  ReadingUser& user_;
  Reading reading_;
  bool authored_ = false;  // it has said kAuthor
  bool verdict_ = false;   // it has said kPlan or kRefused
  pid_t pid_ = -1;         // -1: none, or ended
  TimerWatcher limit_;
  TimerWatcher ended_;  // polls for its end, which is due at once
  unsigned polls_ = 0;
  std::unique_ptr<Channel> channel_;
};

// Runs a reader to its end on a loop of its own: for the start and for --check.
Reading read_once(const ConfigReader::Body& body, const std::vector<int>& keep, unsigned limit_ms);

}  // namespace m2
