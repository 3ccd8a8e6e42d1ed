// The two languages of the control port, both on one socket: words answered with JSON (manual 3.8)
// and the tnetstrings of Mongrel2 1.x. Pure functions: from a message to a command, and from what
// there is to say to an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/client_report.h"

namespace m2 {

enum class ControlVerb : uint8_t {
  kNone,  // not a command: the answer is there already
  kTime,
  kUuid,
  kInfo,
  kHelp,
  kStatusNet,
  kStatusTasks,
  kKill,
  kStop,
  kReload,
  kTerminate,
  kControlStop
};

struct ControlCommand {
  ControlVerb verb = ControlVerb::kNone;
  bool tnetstring = false;  // answer in that language
  uint64_t id = 0;          // kKill; 0: no number that can be one
  std::string_view text;    // kKill: as it was written
  std::string answer;       // kNone
};

// A message that is one whole tnetstring is a command of 1.x, everything else is words. A final NUL
// and blanks around words do not matter.
ControlCommand read_control_command(std::string_view message);

struct ControlTask {
  std::string name;
  std::string state;
};

// What "info" tells, in the order of 1.x.
struct ControlInfo {
  uint16_t port = 0;
  std::string bind_addr;
  std::string uuid;
  std::string chroot;
  std::string access_log;
  std::string error_log;
  std::string pid_file;
  std::string default_host;
};

std::string answer_time(bool tnetstring, int64_t seconds);
std::string answer_uuid(bool tnetstring, const std::string& uuid);
std::string answer_info(bool tnetstring, const ControlInfo& info);
std::string answer_help(bool tnetstring);
std::string answer_tasks(bool tnetstring, const std::vector<ControlTask>& tasks);
// texts: of ClientReport, one of each worker. silent: workers that gave none.
std::string answer_net(bool tnetstring, const std::vector<std::string>& texts, unsigned silent);
// found: the client was there and is closed. silent: the worker gave no answer.
std::string answer_kill(const ControlCommand& command, bool found, unsigned silent);
std::string answer_message(bool tnetstring, std::string_view text);

}  // namespace m2
