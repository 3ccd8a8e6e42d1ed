// The master at work: one loop in which signals, the words of children and the verdicts of the
// config reader become actions. It decides nothing about a reload itself (reload.h does) and reads
// nothing that a stranger wrote. Built and run by main.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/treaty/child.h"
#include "master/children.h"
#include "master/config_reader.h"
#include "master/heartbeat_watch.h"
#include "master/held_report.h"
#include "master/jail_book.h"
#include "master/listeners.h"
#include "master/log_files.h"
#include "master/log_process.h"
#include "master/name_resolver.h"
#include "master/notify.h"
#include "master/pid_file.h"
#include "master/planned_generation.h"
#include "master/predecessor.h"
#include "master/privileges.h"
#include "master/reload.h"
#include "master/signals.h"
#include "master/spawn.h"
#include "master/upgrade.h"
#include "master/verdict_file.h"

namespace m2 {

class Supervisor final : public SignalUser,
                         public ChildrenUser,
                         public ReadingUser,
                         private NameResolverUser,
                         private UpgradeUser,
                         private PredecessorUser {
 public:
  // What main has put in place.
  struct Setup {
    Place place;
    Children::Kit kit;
    // The body of a ConfigReader; current_image: of the configuration in use, -1: none.
    std::function<int(int channel, int current_image)> read;
    NameResolver::Body look_up = {};  // see NameResolver
    std::vector<int> reader_keeps;
    unsigned workers = 0;  // -w
    bool foreground = true;
    OwnedFd held_signals;
    Logs logs;
    Launcher launcher;
    Notify notify;
    std::string verdict_path;
    RunFiles& files;  // outlives the supervisor
    JailBook jails;
    LogProcess* log_process = nullptr;  // none: lines are written at once
    InheritedSockets inherited = {};
    // Taken now, or when a predecessor lets go of it: its pid (0: none).
    std::optional<PidFile> pid_file = {};
    std::function<Result<PidFile>(pid_t predecessor)> take_pid_file = {};
    std::function<int(int channel)> launch = {};  // see Upgrade::Start
    std::unique_ptr<Predecessor> predecessor = {};
  };

  Supervisor(Loop& loop, Setup setup);

  // Brings the first generation up and serves until told to stop; afterwards no child, no socket,
  // no socket file and no pid file is left, unless another master has taken over. An error: it
  // never served, and why.
  Status run(Reading first);

 private:
  enum class Mode : uint8_t { kRunning, kDraining, kEnding };

  // supervisor.cc: what comes in
  void signal_arrived(int number) override;
  void equip_child(ChildStart& start) override;
  void child_born(Child& child) override;
  void child_message(Child& child, Message message) override;
  void pass_on_clients(Message message);
  void close_all_but(const Plan& plan);
  void child_jailed(Child& child, const std::string& report);
  void names_looked_up(OwnedFd addresses) override;
  bool resolver_jailed(const std::string& report, const DescriptorCounts& given) override;
  void child_silent(Child& child) override;
  void child_gone(Child& child, const std::string& why) override;
  void reading_done(Reading reading) override;
  void signal_ourselves(uint64_t number);
  void reopen_logs();
  void use_logs(Logs logs);
  void stop_requested();
  void streams_to_log();
  void look_after_log();
  void start_log();
  void stop_gracefully();
  void stop_now();
  void end_undertakings();
  void limit_the_end(uint64_t drain_ms);
  void advance_stop();

  // supervisor_reload.cc: what a reload asks for
  void carry_out(Reload::Actions actions);
  void act(const Reload::Action& action);
  void start_reading();
  void open_candidate(uint64_t number);
  void prepare(Child& child, uint64_t generation);
  Status offer(Child& child, const PlannedGeneration& generation);
  void adopt();
  void discard();
  void retire(unsigned workers, uint64_t drain_ms);
  unsigned users_of_handlers(unsigned workers);
  void move_handlers();
  void say_moved(const std::string& what_came_of_it);
  void announce_workers();
  void report_serves();
  void say_serves(double ms);
  void say_verdict(const std::string& text);
  void report_refused(const std::string& why);

  // supervisor_upgrade.cc
  void upgrade_requested();
  Status begin_upgrade();
  void successor_serves() override;
  void successor_took_over() override;
  void upgrade_refused(const std::string& why) override;
  void say_left(const Child& child);
  void begin_as_successor();
  void told_to_take_over() override;
  void owns_now() override;
  void clients_handed_over(Message message) override;
  void endpoints_left(const std::string& keys) override;
  void predecessor_gone() override;
  void tell_held(Child& child);
  static std::vector<std::string> in_batches(const std::set<std::string>& keys);
  double held_limit_s() const;
  void release_all();

  Loop& loop_;
  Setup setup_;
  Signals signals_;
  VerdictFile verdict_;
  Listeners listeners_;
  Children children_;
  NameResolver resolver_;
  HeartbeatWatch heartbeat_;
  Reload reload_;
  std::deque<Reload::Action> pending_;  // actions not yet carried out
  bool acting_ = false;
  std::optional<Reading> first_;
  std::unique_ptr<ConfigReader> reader_;
  PlannedGeneration current_;
  PlannedGeneration candidate_;
  std::optional<Logs> candidate_logs_;
  Listeners::Count opened_;
  Listeners::Count closed_;
  double reload_began_s_ = 0;
  bool moving_ = false;  // the reload under way is our own: see move_handlers()
  HeldReport held_;

  Upgrade upgrade_;
  bool upgrade_due_ = false;  // asked for during a reload
  bool reload_due_ = false;   // asked for during an upgrade
  // The pid file, the files of the sockets and the ear of the service manager are ours.
  bool owner_ = true;
  std::string serves_text_;          // of a successor, until it is the owner
  std::set<std::string> held_keys_;  // of endpoints that the predecessor has not left yet
  TimerWatcher held_limit_;

  Mode mode_ = Mode::kRunning;
  std::chrono::steady_clock::time_point stop_requested_;  // by the first INT or TERM
  bool ended_ = false;
  size_t clients_passed_on_ = 0;  // messages, for taking turns
  TimerWatcher end_limit_;
  TimerWatcher last_look_;
  TimerWatcher log_restart_;
  std::string failure_;  // why it never served
};

}  // namespace m2
