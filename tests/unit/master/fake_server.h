// A whole server in a child of the test: the real Supervisor in a scratch folder, with children
// that keep the treaty and write down what they are told. For supervisor_test.cc.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "common/log.h"
#include "common/sealed_memory.h"
#include "common/treaty/heartbeat.h"
#include "common/treaty/jailed.h"
#include "master/supervisor.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {

inline constexpr unsigned kHangSeconds = 60;
inline constexpr uint64_t kHeartbeatMs = 3000;

// The test's processes hang and die as no real one may, so they go without filters.
inline Jail jail_without_filters() {
  Jail jail;
  jail.landlock = false;
  jail.seccomp = false;
  return jail;
}

// What every child says first.
inline Status enter_and_tell(JailRole role, int channel) {
  const Result<JailReport> entered = enter_jail(jail_without_filters(), role);
  if (!entered.ok()) return Status::error(entered.message());
  return send_jailed(channel, entered.value());
}

// A child of either role. What it does wrong it reads from the image, which is the text of the file
// "behave": "refuse worker 1" (also die, hang, die-at-commit, spin, stubborn).
class FakeChild final : private ChannelUser {
 public:
  explicit FakeChild(ChildStart start)
      : name_(start.role == Role::kRelay ? "relay" : "worker " + std::to_string(start.slot)),
        error_log_(std::move(start.error_log)),
        channel_(loop_, std::move(start.channel), *this),
        heartbeat_(loop_, channel_, [] { return uint64_t{0}; }) {
    log_open(name_, error_log_.get(), LogLevel::kInfo);
  }
  int run() {
    loop_.run();
    return 0;
  }

 private:
  bool told_to(const std::string& what) const { return behave_ == what + " " + name_; }

  void answer(MessageType type, uint64_t generation, const std::string& text = "") {
    Message message;
    message.type = type;
    message.generation = generation;
    message.text = text;
    channel_.send(std::move(message));
  }

  void channel_closed(const std::string&) override { loop_.stop(); }

  void channel_message(Message message) override {
    const std::string generation = std::to_string(message.generation);
    switch (message.type) {
      case MessageType::kOffer:
        offered_ += message.text + ";";
        break;
      case MessageType::kPrepare:
        prepare(message);
        break;
      case MessageType::kCommit:
        if (told_to("die-at-commit")) ::raise(SIGKILL);
        log_info("commit " + generation);
        answer(MessageType::kSwapped, message.generation);
        heartbeat_.set(kHeartbeatMs);
        if (told_to("spin")) spin();
        break;
      case MessageType::kAbort:
        log_info("abort " + generation);
        break;
      case MessageType::kDrain:
        log_info("drain " + std::to_string(message.number));
        if (!told_to("stubborn")) loop_.stop();
        break;
      case MessageType::kRetire: {
        log_info("retire " + std::to_string(message.number));
        Message clients;
        clients.type = MessageType::kClients;
        clients.descriptors.push_back(error_log_.duplicate());
        channel_.send(std::move(clients));
        if (!told_to("stubborn")) loop_.stop();
        break;
      }
      case MessageType::kClients:
        log_info("clients " + std::to_string(message.descriptors.size()));
        break;
      case MessageType::kLogs:
        log_redirect(message.descriptors.at(0).get());
        error_log_ = std::move(message.descriptors[0]);
        log_info("logs " + std::to_string(message.descriptors.size()));
        break;
      case MessageType::kWorkerUp:
        log_info("up " + std::to_string(message.slot));
        break;
      case MessageType::kWorkerDown:
        log_info("down " + std::to_string(message.slot));
        break;
      default:
        log_info("what?");
    }
  }

  static void spin() {
    ::alarm(kHangSeconds);
    for (volatile bool on = true; on;) {
    }
  }

  void prepare(const Message& message) {
    const Result<SealedView> image = SealedView::map(message.descriptors.at(0).get(), 1000);
    behave_ = image.value().bytes();
    log_info("prepare " + std::to_string(message.generation) + " of " +
             std::to_string(message.number) + " with " + std::exchange(offered_, {}));
    if (told_to("die")) ::raise(SIGKILL);
    if (behave_ == "die " + name_ + " at " + std::to_string(message.generation)) ::raise(SIGKILL);
    if (told_to("hang")) {
      ::alarm(kHangSeconds);  // nothing stays behind when the test has gone
      ::pause();
    }
    if (told_to("refuse")) return answer(MessageType::kFailed, message.generation, "no thanks");
    answer(MessageType::kReady, message.generation);
  }

  const std::string name_;
  Loop loop_;
  OwnedFd error_log_;
  std::string behave_;
  std::string offered_;
  Channel channel_;
  Heartbeat heartbeat_;
};

class FakeServer {
 public:
  FakeServer() {
    EXPECT_EQ(::mkdir((folder / "run").c_str(), 0755), 0);
    plan.error_log = "error.log";
    plan.access_log = "access.log";
    plan.pid_file = "run/x.pid";
    plan.workers = 2;
    plan.prepare_ms = 20'000;
    plan.drain_ms = 20'000;
    plan.endpoints = {"ipc://run/send", "ipc://run/recv"};
    plan.control_port = "ipc://run/control";
    configure("");
  }
  ~FakeServer() {
    if (pid > 0) ::kill(pid, SIGKILL);
    if (pid > 0) ::waitpid(pid, nullptr, 0);
  }

  // What the next reading finds.
  void configure(const std::string& behave) {
    folder.write("behave", behave);
    folder.write("plan", write_plan(plan));
  }

  void start() {
    std::fflush(nullptr);
    pid = ::fork();
    if (pid == 0) ::_exit(serve());
  }

  void signal(int number) const { ::kill(pid, number); }

  // Waits until a signal that was sent waits no more.
  bool took(int number) const {
    for (int i = 0; i < 4000; ++i) {
      std::ifstream status("/proc/" + std::to_string(pid) + "/status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("ShdPnd:") &&
            (std::stoull(line.substr(7), nullptr, 16) >> (number - 1) & 1) == 0) {
          return true;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // Its exit status; -1 when a signal ended it.
  int wait() {
    int status = 0;
    ::waitpid(pid, &status, 0);
    pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string log() const { return folder.read("error.log"); }

  bool says_now(const std::string& text) const { return log().find(text) != std::string::npos; }

  // Waits until text has come up in the log (count times); false after a long while.
  bool says(const std::string& text, int count = 1) const {
    for (int i = 0; i < 4000; ++i) {
      const std::string all = log();
      int found = 0;
      for (size_t at = 0; (at = all.find(text, at)) != std::string::npos; ++at) ++found;
      if (found >= count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // Process of a living child, by the name ps shows; 0: none.
  pid_t process(const std::string& name) const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string folder_name = entry.path().filename();
      if (folder_name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::string word, comm, parent;
      std::ifstream(entry.path() / "stat") >> word >> comm >> word >> parent;
      if (comm == "(" + name + ")" && parent == std::to_string(pid)) {
        return static_cast<pid_t>(std::stol(folder_name));
      }
    }
    return 0;
  }

  ScratchFolder folder;
  Plan plan;
  pid_t pid = 0;
  // Who does not give up its privileges: "not: worker" (also relay, reader) says nothing of it,
  // "in part: worker" (also relay) says what it still has, "more: worker" has a descriptor that
  // nobody gave it. "": everybody does.
  std::string jailed;

 private:
  int serve() {
    ::alarm(120);  // whatever a test forgets
    ::signal(SIGPIPE, SIG_IGN);
    std::filesystem::current_path(folder.path());
    Place place;
    place.folder = folder.path();
    Logs logs = open_logs(plan, place, false).value();
    log_open("master", logs.error.get(), LogLevel::kInfo);
    const ConfigReader::Body read = [this](int channel) {
      Message author;
      author.type = MessageType::kAuthor;
      author.text = write_author({});
      if (!send_and_wait(channel, author).ok()) return 1;
      if (jailed != "not: reader" && !enter_and_tell(JailRole::kConfigReader, channel).ok()) {
        return 1;
      }
      Message message;
      message.type = folder.read("behave") == "refuse" ? MessageType::kRefused : MessageType::kPlan;
      if (message.type == MessageType::kPlan) {
        message.descriptors.push_back(seal_bytes("plan", folder.read("plan")).value());
        message.descriptors.push_back(seal_bytes("image", folder.read("behave")).value());
      }
      return send_and_wait(channel, message).ok() ? 0 : 1;
    };
    const auto child = [this](ChildStart start) {
      log_open("child", start.error_log.get(), LogLevel::kInfo);  // first, as real ones do
      const JailRole role = start.role == Role::kRelay ? JailRole::kRelay : JailRole::kWorker;
      const bool more = jailed.starts_with("more: ");
      if (more) (void)::open("/", O_PATH | O_CLOEXEC);
      if (more || !jailed.ends_with(start.role == Role::kRelay ? "relay" : "worker")) {
        if (!enter_and_tell(role, start.channel.get()).ok()) return 1;
      } else if (jailed.starts_with("in part")) {
        if (!send_jailed(start.channel.get(), look_at_jail(role, 0).value()).ok()) return 1;
      }
      return FakeChild(std::move(start)).run();
    };
    Reading first = read_once(read, {}, 20'000);
    RunFiles files(jail_without_filters());
    Result<JailBook> jails =
        JailBook::open(jail_without_filters(), Origin::remember().value(), "run/fake.jail", files);
    Loop loop;
    Supervisor supervisor(loop, {.place = std::move(place),
                                 .kit = {jail_without_filters(), "run", child, child},
                                 .read = [&read](int channel, int) { return read(channel); },
                                 .reader_keeps = {},
                                 .workers = 0,
                                 .foreground = false,
                                 .held_signals = hold_signals().value(),
                                 .logs = std::move(logs),
                                 .launcher = Launcher(),
                                 .notify = Notify(),
                                 .verdict_path = "run/fake.verdict",
                                 .files = files,
                                 .jails = std::move(jails).value()});
    const Status served = supervisor.run(std::move(first));
    folder.write("failure", served.message());
    return served.ok() ? 0 : 1;
  }
};

}  // namespace m2
