// The process that writes the master's lines (common/log_channel.h) and small files (run_files.h),
// as the master sees it: starts it, starts another one when it has died, and waits a little for its
// end. What it does not take is counted by the log, and said when it takes lines again.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/jail.h"
#include "master/jail_book.h"
#include "master/reap.h"
#include "master/run_files.h"

namespace m2 {

class LogProcess {
 public:
  // folder: where files may be written. All outlive it.
  LogProcess(const Jail& jail, std::string folder, RunFiles& files)
      : jail_(jail), folder_(std::move(folder)), files_(files) {}
  // Closes the log and lets files go; the process has two seconds for what still waits.
  ~LogProcess();
  LogProcess(const LogProcess&) = delete;
  LogProcess& operator=(const LogProcess&) = delete;

  // error_log: where to. From here on log_line() never waits for what is behind it. An error: it
  // cannot be started, or is not in the jail that was asked for.
  Status start(int error_log, JailBook& jails);
  // After SIGCHLD. In how many milliseconds start() is due again; none: it lives.
  std::optional<unsigned> died(JailBook& jails);

 private:
  const Jail jail_;
  const std::string folder_;
  RunFiles& files_;
  pid_t pid_ = -1;
  std::string death_;  // of the one before, not yet in the log
  double started_s_ = 0;
  RestartDelay delay_;
};

}  // namespace m2
