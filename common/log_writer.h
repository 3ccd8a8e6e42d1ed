// Lines for one log file, written by a thread of its own, or another process, so that neither a
// slow disk, a full one nor a reader of stderr that has stopped ever holds up an event loop. What
// does not fit into the queue, or is not taken by the file, is counted and said.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/log_channel.h"
#include "common/status.h"

namespace m2 {

class LogWriter {
 public:
  // Lines that wait beyond this are lost: the file takes nothing for long.
  static constexpr size_t kWaitingBytesMax = 1 << 20;

  // fd: -1: every line is dropped without a word; else it is written to until start(), and must
  // stay open until then. It is not owned: a child inherits the object, but not the descriptor.
  explicit LogWriter(int fd);
  // Waits until the file has all lines, for two seconds at most.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // From here on write() never waits, and a duplicate of the descriptor is written to. Before it,
  // and without it, write() writes at once.
  Status start();
  // The way of a process that forks, and so must not have threads: from here on another process
  // writes (log_channel.h). channel: the end for us.
  void hand_to(OwnedFd channel);
  // text: whole lines, each with its end, and their number. They stay whole (log_file.h).
  void write(std::string_view text, uint64_t lines);
  // Later lines go to another file, as in the constructor; those before it still to the old one.
  void redirect(int fd);

  // What is worth a line of the error log since the last call: that lines are being lost and why,
  // or that they are written again and how many were lost. "": nothing.
  std::string news();

 private:
  struct Shared;
  static void* serve(void* shared);

  std::unique_ptr<LogChannel> channel_;
  std::shared_ptr<Shared> shared_;  // with the thread, which may outlive the writer
  bool keeps_ = false;              // duplicates, from start() on, whatever came of it
  bool started_ = false;
};

}  // namespace m2
