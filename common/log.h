// The error log: spdlog behind a few functions; the only file (with log.cc) that includes it. Made
// anew in each process after its fork, and written to a descriptor that the master opened
// (O_APPEND). A line that cannot be written (full disk) is counted and said, never waited for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

// The numbers of server.error_log_level (compat: 0 error, 1 warn, 2 info, 3 debug).
enum class LogLevel { kError = 0, kWarn = 1, kInfo = 2, kDebug = 3 };

// Call once per process, before anything is logged. who: "master", "worker 2", "relay". Writes to
// fd without owning it; log_redirect moves later lines to another one (reopen after a rotation).
void log_open(std::string_view who, int fd, LogLevel level);
void log_redirect(int fd);
// The same in a child, whose stdout and stderr are the error log too (what a CHECK says goes
// there).
void log_redirect_all(int fd);
void log_set_level(LogLevel level);
bool log_enabled(LogLevel level);
// From here on lines are written by a thread (log_writer.h). For processes that do not fork.
void log_in_background();
// At the end of a process that did: waits a little until all lines are written.
void log_close();

void log_line(LogLevel level, std::string_view text);
inline void log_error(std::string_view text) { log_line(LogLevel::kError, text); }
inline void log_warn(std::string_view text) { log_line(LogLevel::kWarn, text); }
inline void log_info(std::string_view text) { log_line(LogLevel::kInfo, text); }
inline void log_debug(std::string_view text) { log_line(LogLevel::kDebug, text); }

}  // namespace m2
