#include "common/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>

#include "common/in_quotes.h"
#include "common/log_handover.h"
#include "common/log_limit.h"
#include "common/log_writer.h"

namespace m2 {
namespace {

class WriterSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit WriterSink(int fd) : writer(fd) {}
  LogWriter writer;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer.write({line.data(), line.size()}, 1);
  }
  void flush_() override {}
};

// spdlog writes "warning"; scripts look for "[WARN]".
class LevelName final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string_view name = "DEBUG";
    if (message.level == spdlog::level::info) name = "INFO";
    if (message.level == spdlog::level::warn) name = "WARN";
    if (message.level == spdlog::level::err) name = "ERROR";
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelName>();
  }
};

// The number of a level for the journal: sd-daemon(3).
class JournalLevel final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    char number = '7';
    if (message.level == spdlog::level::info) number = '6';
    if (message.level == spdlog::level::warn) number = '4';
    if (message.level == spdlog::level::err) number = '3';
    out.push_back(number);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalLevel>();
  }
};

// Whether systemd's journal reads what is written there: systemd.exec(5), JOURNAL_STREAM.
bool is_journal(int fd) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat file;
  return stream != nullptr && ::fstat(fd, &file) == 0 &&
         std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino) == stream;
}

std::shared_ptr<WriterSink> sink;
std::shared_ptr<spdlog::logger> logger;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

}  // namespace

void log_open(std::string_view who, int fd, LogLevel level) {
  sink = std::make_shared<WriterSink>(fd);
  logger = std::make_shared<spdlog::logger>(std::string(who), sink);
  auto form = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (is_journal(fd)) {  // which knows the time, and has a field for the level
    form->add_flag<JournalLevel>('*').set_pattern("<%*>(%n) %v");
  } else {
    // Names and order as in Mongrel2 1.x: "Sun, 22 Nov 2026 06:12:10 GMT [INFO] (worker 1) text".
    form->add_flag<LevelName>('*').set_pattern("%a, %d %b %Y %H:%M:%S GMT [%*] (%n) %v");
  }
  logger->set_formatter(std::move(form));
  logger->set_error_handler([](const std::string&) {});
  log_set_level(level);
}

void log_redirect(int fd) {
  if (sink) sink->writer.redirect(fd);
}

void log_in_background() {
  if (const Status started = sink->writer.start(); !started.ok()) log_warn(started.message());
}

void log_hand_to(OwnedFd channel) {
  if (sink) sink->writer.hand_to(std::move(channel));
}

void log_close() {
  LogLimit::say_left_out(true);
  logger.reset();
  sink.reset();
}

void log_redirect_all(int fd) {
  log_redirect(fd);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(fd, stream) < 0) log_error(Status::from_errno("redirect a stream", errno).message());
  }
}

void log_set_level(LogLevel level) {
  if (logger) logger->set_level(to_spdlog(level));
}

bool log_enabled(LogLevel level) { return logger && logger->should_log(to_spdlog(level)); }

// Whoever may have chosen a part of the text, no other line is made of it.
void log_line(LogLevel level, std::string_view text) {
  if (!log_enabled(level)) return;
  LogLimit::say_left_out();
  if (is_one_line(text)) {
    logger->log(to_spdlog(level), "{}", text);
  } else {
    logger->log(to_spdlog(level), "{}", in_one_line(text));
  }
  if (const std::string news = sink->writer.news(); !news.empty()) {
    logger->log(spdlog::level::warn, "error log: {}", news);
  }
}

}  // namespace m2
