#include "master/log_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <thread>
#include <utility>

#include "common/log.h"
#include "common/log_channel.h"
#include "common/log_handover.h"
#include "common/treaty/jailed.h"
#include "master/endings.h"
#include "master/spawn.h"

namespace m2 {
namespace {

// A fork and its jail.
constexpr int kJailMs = 10'000;
constexpr int kEndMs = 2000;
constexpr int kLookMs = 5;

double now_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Result<std::pair<OwnedFd, OwnedFd>> packet_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Status::from_errno("create a channel for the log", errno);
  }
  return std::make_pair(OwnedFd(ends[0]), OwnedFd(ends[1]));
}

// In the child.
int write_lines(const Jail& jail, const std::string& folder, int channel, int lines, int files,
                OwnedFd file) {
  log_open("log", file.get(), LogLevel::kInfo);
  const Result<JailReport> jailed = enter_jail(jail, JailRole::kLog, {folder});
  if (!jailed.ok()) {
    log_error("cannot give up privileges: " + jailed.message());
    return 1;
  }
  if (!send_jailed(channel, jailed.value()).ok()) return 1;
  log_close();
  std::thread small_files(serve_run_files, files);
  serve_log_channel(lines, std::move(file));
  small_files.join();
  return 0;
}

}  // namespace

Status LogProcess::start(int error_log, JailBook& jails) {
  Result<std::pair<OwnedFd, OwnedFd>> channel = channel_pair();
  if (!channel.ok()) return std::move(channel).status();
  Result<std::pair<OwnedFd, OwnedFd>> lines = packet_pair(), files = packet_pair();
  if (!lines.ok()) return std::move(lines).status();
  if (!files.ok()) return std::move(files).status();
  OwnedFd& lines_end = lines.value().second;
  OwnedFd& files_end = files.value().second;
  OwnedFd file(::fcntl(error_log, F_DUPFD_CLOEXEC, 3));
  if (!file.valid()) return Status::from_errno("duplicate the error log", errno);
  OwnedFd& end = channel.value().second;
  const SpawnPlan plan{.name = "m2-log",
                       .keep = {lines_end.get(), files_end.get(), file.get(), end.get()},
                       .output = file.get()};
  const DescriptorCounts given = given_to(plan);
  const Result<pid_t> pid = spawn(plan, [&] {
    return write_lines(jail_, folder_, end.get(), lines_end.get(), files_end.get(),
                       std::move(file));
  });
  if (!pid.ok()) return Status::error(pid.message());
  pid_ = pid.value();
  started_s_ = now_s();
  end.reset();
  lines_end.reset();
  files_end.reset();
  const Result<Message> first = receive_within(channel.value().first.get(), kJailMs);
  const bool said = first.ok() && first.value().type == MessageType::kJailed;
  const std::string weaker =
      jails.judge("log", JailRole::kLog, pid_, said ? first.value().text : "", given);
  if (!weaker.empty()) {
    kill_child(pid_);
    return Status::error("the process that writes the log is not in the jail that was asked for: " +
                         weaker);
  }
  log_hand_to(std::move(lines.value().first));
  files_.hand_to(std::move(files.value().first));
  if (!death_.empty()) log_error(std::exchange(death_, {}));
  return {};
}

std::optional<unsigned> LogProcess::died(JailBook& jails) {
  const std::optional<int> status = pid_ > 0 ? take_end(pid_) : std::nullopt;
  if (!status) return std::nullopt;
  death_ = "log (process " + std::to_string(pid_) + ") died: " + exit_reason(*status);
  jails.forget(std::exchange(pid_, -1));
  return delay_.next_ms(now_s() - started_s_);
}

LogProcess::~LogProcess() {
  log_close();
  files_.let_go();
  if (pid_ <= 0) return;
  for (int waited = 0; waited < kEndMs; waited += kLookMs) {
    if (take_end(pid_)) return;
    ::poll(nullptr, 0, kLookMs);
  }
  kill_child(pid_);
  forget_end(pid_);
}

}  // namespace m2
