// The story of the master, from its arguments to its end. Each step says what is true after it; the
// only place of the program that prints to the terminal and exits.
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/config/settings_page.h"
#include "common/in_quotes.h"
#include "common/log.h"
#include "master/arguments.h"
#include "master/config_child.h"
#include "master/config_reader.h"
#include "master/inherited_sockets.h"
#include "master/name_resolver_child.h"
#include "master/pid_file.h"
#include "master/predecessor.h"
#include "master/program.h"
#include "master/successor.h"
#include "master/supervisor.h"

namespace m2 {
namespace {

constexpr unsigned kReadingMs = 30'000;
// What a starter grants a daemon beyond the limit of the first generation.
constexpr unsigned kLauncherGraceMs = 15'000;
constexpr unsigned kLastWordsS = 2;

// Whoever reads stderr may have stopped: the last words are not worth an end that never comes.
void limit_last_words() {
  ::signal(SIGALRM, [](int) { ::_exit(1); });
  ::alarm(kLastWordsS);
}

int fail(const std::string& why) {
  limit_last_words();
  std::fprintf(stderr, "mongrel2: %s\n", in_one_line(why).c_str());
  return 1;
}

void print_findings(std::FILE* out, const Reading& reading) {
  for (const Reading::Line& line : reading.findings) {
    std::fprintf(out, "%s: %s\n", line.error ? "error" : "warning", in_one_line(line.text).c_str());
  }
}

// Lines that begin with "error: " or "warning: ", and at last "ok: ..." when a start would go on:
// m2sh and scripts read them.
int print_check(const Reading& reading) {
  print_findings(stdout, reading);
  if (!reading.plan) return 1;
  const Result<Place> place = inspect_place(*reading.plan, reading.author);
  if (!place.ok()) {
    std::printf("error: %s\n", place.message().c_str());
    return 1;
  }
  for (const std::string& warning : place.value().warnings) {
    std::printf("warning: %s\n", warning.c_str());
  }
  std::printf("ok: server %s\n", reading.plan->uuid.c_str());
  return 0;
}

// Descriptors 0, 1 and 2 exist, so that no socket ever takes one of their numbers, and no others: a
// starter that reads a pipe to its end must not wait for a daemon. (Those below first_to_close are
// meant for us.) One of the three that was closed is /dev/null. No signal is ignored by habit.
Status tidy_inheritance(unsigned first_to_close) {
  if (::close_range(first_to_close, ~0u, 0) != 0)
    return Status::from_errno("close inherited files", errno);
  // The lowest free number is taken each time: those of the three that were closed come first.
  OwnedFd null;
  do {
    (void)null.release();
    null.reset(::open("/dev/null", O_RDWR));
    if (!null.valid()) return Status::from_errno("open /dev/null", errno);
  } while (null.get() <= STDERR_FILENO);
  if (::dup2(null.get(), STDIN_FILENO) < 0) return Status::from_errno("open stdin", errno);
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a log at its limit costs lines, no process
  return {};
}

void log_beginning(const Plan& plan, const Place& place, const std::optional<PidFile>& pid_file) {
  const std::string who = plan.name.empty() ? plan.uuid : plan.name + " (" + plan.uuid + ")";
  log_info("Mongrel2 " M2_VERSION ", server " + who + ", process " + std::to_string(::getpid()));
  for (const std::string& warning : place.warnings) log_warn(warning);
  if (pid_file && pid_file->stale_pid() != 0) {
    log_warn("process " + std::to_string(pid_file->stale_pid()) + " ended without removing " +
             place.outside(inside(plan, plan.pid_file)) + "; replaced");
  }
  if (const uint64_t files = raise_file_limit(plan.file_limit, !place.bounded);
      files < plan.file_limit) {
    log_warn("superpoll.max_fd wants " + std::to_string(plan.file_limit) +
             " open files, the system allows " + std::to_string(files) + " (ulimit -n)");
  }
}

// What main found at the start, for as long as the server lives.
struct Beginning {
  Arguments arguments;
  Program program;
  Origin origin;
  InheritedSockets inherited;
  std::unique_ptr<Predecessor> predecessor;
  ReaderTask task;
  std::function<int(int channel, int current_image)> read;
};

// Sockets, children and the first generation; then the loop, until somebody says stop.
Status supervise(const Beginning& begun, Reading first, Supervisor::Setup setup) {
  setup.kit = {setup.place.jail, run_directory(*first.plan), worker_main, relay_main};
  setup.look_up = [&begun, jail = setup.place.jail](int image, int channel) {
    return look_names_up(begun.task, begun.origin, jail, image, channel);
  };
  setup.launch = [&begun, environment = setup.notify.environment(),
                  sockets = setup.inherited.descriptors(),
                  names = setup.inherited.names()](int channel) {
    return launch_successor(begun.task, begun.origin, begun.program,
                            {environment, sockets, names, channel});
  };
  Loop loop;
  Supervisor supervisor(loop, std::move(setup));
  Status served = supervisor.run(std::move(first));
  if (served.ok()) log_info("ended");
  return served;
}

// How and from where it serves.
struct Post {
  Place place;
  bool foreground = true;
  Launcher launcher;  // whoever waits for us to serve
  Notify notify;
};

// In the folder that is all there is: what nobody else may have (pid file, logs), then children.
Status serve_inside(Beginning& begun, Reading first, Post post) {
  const Plan& plan = *first.plan;
  const Origin& origin = begun.origin;
  Place& place = post.place;

  // From here on signals are events, and no other master serves with this pid file, but for the one
  // whose place we take: it has it until we serve.
  Result<OwnedFd> held = hold_signals();
  if (!held.ok()) return std::move(held).status();
  const std::string pid_path = inside(plan, plan.pid_file);
  const auto take_pid_file = [pid_path, shown = place.outside(pid_path), jail = place.jail,
                              root = origin.root.get()](pid_t predecessor) {
    return PidFile::take(pid_path, shown, jail, root, predecessor);
  };
  std::optional<PidFile> pid_file;
  if (begun.predecessor == nullptr) {
    Result<PidFile> taken = take_pid_file(0);
    if (!taken.ok()) return std::move(taken).status();
    pid_file = std::move(taken).value();
  }

  Result<Logs> logs = open_logs(plan, place, post.foreground);
  if (!logs.ok()) return std::move(logs).status();
  log_open("master", logs.value().error.get(), static_cast<LogLevel>(plan.error_log_level));

  // What is asked of every child from here on; the first one writes our lines.
  RunFiles files(place.jail);
  Result<JailBook> jails = JailBook::open(place.jail, origin, jail_book_path(pid_path), files);
  if (!jails.ok()) return std::move(jails).status();
  jails.value().keep_quiet(begun.predecessor != nullptr);
  LogProcess log_process(place.jail, run_directory(plan), files);
  if (Status started = log_process.start(logs.value().error.get(), jails.value()); !started.ok()) {
    jails.value().remove();
    return started;
  }
  log_beginning(plan, place, pid_file);
  if (const std::string without = jails.value().shortcomings(); !without.empty()) log_warn(without);

  return supervise(begun, std::move(first),
                   {.place = std::move(place),
                    .kit = {},
                    .read = begun.read,
                    .reader_keeps = {origin.root.get(), origin.folder.get()},
                    .workers = begun.arguments.workers,
                    .foreground = post.foreground,
                    .held_signals = std::move(held).value(),
                    .logs = std::move(logs).value(),
                    .launcher = std::move(post.launcher),
                    .notify = std::move(post.notify),
                    .verdict_path = verdict_path(pid_path),
                    .files = files,
                    .jails = std::move(jails).value(),
                    .log_process = &log_process,
                    .inherited = std::move(begun.inherited),
                    .pid_file = std::move(pid_file),
                    .take_pid_file = take_pid_file,
                    .predecessor = std::move(begun.predecessor)});
}

// Finds where and as whom, goes there, into the background if so, and serves.
Status serve(Beginning& begun, Reading first) {
  const Plan& plan = *first.plan;

  // Nothing is changed yet.
  Result<Place> looked_at = inspect_place(plan, first.author);
  if (!looked_at.ok()) return std::move(looked_at).status();
  Post post;
  post.place = std::move(looked_at).value();
  begun.inherited.set_folder(post.place.folder);

  // The starter waits until we serve. Not under a service manager or as the first process of a
  // container, which both follow the process they started.
  post.notify = Notify::from_environment();
  post.foreground =
      !post.place.as_root || !plan.daemonize || post.notify.active() || ::getpid() == 1;
  const bool stays = post.foreground || begun.predecessor != nullptr;
  Result<Launcher> launcher =
      stays ? Launcher() : Launcher::detach(plan.prepare_ms + kLauncherGraceMs);
  if (!launcher.ok()) return std::move(launcher).status();
  post.launcher = std::move(launcher).value();

  // From here on every path is one of the folder; as root it is all there is.
  if (Status entered = enter_place(post.place); !entered.ok()) return entered;
  post.place.directory.reset();
  return serve_inside(begun, std::move(first), std::move(post));
}

int run(const Arguments& arguments, Program program) {
  Beginning begun{.arguments = arguments,
                  .program = std::move(program),
                  .origin = {},
                  .inherited = InheritedSockets::from_environment(),
                  .predecessor = nullptr,
                  .task = {arguments.database, arguments.server, ::geteuid() == 0},
                  .read = {}};
  int kept = InheritedSockets::kFirst + static_cast<int>(begun.inherited.size());
  begun.predecessor = Predecessor::from_environment(kept);
  if (begun.predecessor != nullptr) ++kept;
  if (Status tidy = tidy_inheritance(static_cast<unsigned>(kept)); !tidy.ok()) {
    return fail(tidy.message());
  }
  // The C library reads the zone when it is first asked for a time, which would be in a folder of
  // somebody else, who may have put a pipe there.
  ::tzset();
  Result<Origin> remembered = Origin::remember();
  if (!remembered.ok()) return fail(remembered.message());
  begun.origin = std::move(remembered).value();
  if (begun.predecessor != nullptr) {
    if (Status met = begun.predecessor->greet(); !met.ok()) return fail(met.message());
  }

  // The configuration, read by a child; the master never opens the database.
  begun.read = [&begun](int channel, int current_image) {
    return read_configuration(begun.task, begun.origin, current_image, channel);
  };
  const auto read_first = [&begun](int channel) { return begun.read(channel, -1); };
  const std::vector<int> keep = {begun.origin.root.get(), begun.origin.folder.get()};
  Reading first = read_once(read_first, keep, kReadingMs);
  if (arguments.command == Arguments::Command::kCheck) return print_check(first);
  if (!first.plan) {
    limit_last_words();
    print_findings(stderr, first);
    if (begun.predecessor != nullptr) begun.predecessor->refuse(first.errors());
    return fail("server " + arguments.server + " is not started, because of these errors in " +
                arguments.database);
  }
  begun.task.landlock = first.plan->landlock;
  begun.task.seccomp = first.plan->seccomp;
  const Status served = serve(begun, std::move(first));
  if (served.ok()) return 0;
  if (begun.predecessor != nullptr) begun.predecessor->refuse(served.message());
  return fail(served.message());
}

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  const std::span<const char* const> words(argv + 1, argc > 0 ? static_cast<size_t>(argc - 1) : 0);
  const m2::Result<m2::Arguments> arguments = m2::parse_arguments(words);
  if (!arguments.ok()) {
    std::fprintf(stderr, "mongrel2: %s; %s\n", arguments.message().c_str(), m2::kUsage);
    return 1;
  }
  switch (arguments.value().command) {
    case m2::Arguments::Command::kHelp:
      std::fputs(m2::kHelp, stdout);
      return 0;
    case m2::Arguments::Command::kVersion:
      std::puts("mongrel2 " M2_VERSION);
      return 0;
    case m2::Arguments::Command::kSettings:
      m2::print_settings_markdown(stdout);
      return std::fflush(stdout) == 0 ? 0 : 1;
    default:
      return m2::run(arguments.value(), m2::Program::remember(argc, argv));
  }
}
