#include "worker/relay/control_language.h"

#include <charconv>
#include <optional>
#include <utility>

#include "common/json_writer.h"
#include "proto/handler/connection_id.h"
#include "proto/handler/netstring.h"
#include "proto/handler/tnetstring.h"

namespace m2 {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

struct Verb {
  std::string_view name;   // of 1.x
  std::string_view words;  // of the manual; "": it has none
  ControlVerb verb;
  std::string_view help;
};

constexpr Verb kVerbs[] = {
    {"stop", "stop", ControlVerb::kStop, "stop the server (SIGINT)"},
    {"reload", "reload", ControlVerb::kReload, "reload the server"},
    {"help", "help", ControlVerb::kHelp, "this command"},
    {"control_stop", "control stop", ControlVerb::kControlStop, "stop control port"},
    {"kill", "", ControlVerb::kKill, "kill a connection"},
    {"status", "", ControlVerb::kStatusNet, "status, what=['net'|'tasks']"},
    {"terminate", "terminate", ControlVerb::kTerminate, "terminate the server (SIGTERM)"},
    {"time", "time", ControlVerb::kTime, "the server's time"},
    {"uuid", "uuid", ControlVerb::kUuid, "the server's uuid"},
    {"info", "info", ControlVerb::kInfo, "information about this server"},
};

std::string tnet(std::string_view data, char tag = ',') {
  std::string out;
  append_netstring(out, data, tag);
  return out;
}

std::string tnet(int64_t number) { return tnet(std::to_string(number), '#'); }

// Rows are the cells of each, already tnetstrings.
std::string table(std::initializer_list<std::string_view> names,
                  const std::vector<std::string>& rows) {
  std::string headers, all;
  for (const std::string_view name : names) append_netstring(headers, name);
  for (const std::string& row : rows) append_netstring(all, row, ']');
  return tnet(tnet("headers") + tnet(headers, ']') + tnet("rows") + tnet(all, ']'), '}');
}

std::string failure(std::string_view code, std::string_view text) {
  return tnet(tnet("code") + tnet(code) + tnet("error") + tnet(text), '}');
}

std::string json_error(std::string_view text) {
  JsonWriter out;
  out.text(text);
  return "{\"error\": " + out.take() + "}";
}

// ---- 1.x

std::optional<TnetValue> member(std::string_view dict, std::string_view name) {
  while (const auto key = next_tnet_value(dict)) {
    const auto value = next_tnet_value(dict);
    if (value && key->data == name) return value;
  }
  return {};
}

ControlCommand refused(std::string_view code, std::string_view text) {
  ControlCommand command;
  command.tnetstring = true;
  command.answer = failure(code, text);
  return command;
}

void read_status(std::string_view arguments, ControlCommand& command) {
  const auto what = member(arguments, "what");
  if (!what || !what->is(TnetValue::Kind::kText)) {
    command = refused("INVALID_ARGUMENT", "Invalid argument type.");
  } else if (what->data == "tasks") {
    command.verb = ControlVerb::kStatusTasks;
  } else if (what->data != "net") {
    command.verb = ControlVerb::kNone;
    command.answer = tnet(tnet("error") + tnet("Expected argument what=['net'|'tasks']."), '}');
  }
}

// Written as a number, or as text by those who want all of its 53 bits.
void read_kill(std::string_view arguments, ControlCommand& command) {
  const auto id = member(arguments, "id");
  const bool good = id && (id->is(TnetValue::Kind::kInteger) || id->is(TnetValue::Kind::kText));
  command.id = good ? parse_connection_id(id->data) : 0;
  if (!good || (command.id == 0 && id->data != "0")) {
    command = refused("INVALID_ARGUMENT", "Invalid argument type.");
  }
}

ControlCommand read_tnetstring_command(const TnetValue& request) {
  if (!request.is(TnetValue::Kind::kList)) {
    return refused("INVALID_REQUEST",
                   "Invalid request format, must be a list with two elements in it.");
  }
  std::string_view items = request.data;
  const auto name = next_tnet_value(items);
  const auto arguments = next_tnet_value(items);
  if (!name || !arguments || !name->is(TnetValue::Kind::kText) ||
      !arguments->is(TnetValue::Kind::kDict)) {
    return refused("INVALID_DATA",
                   "Invalid data, expecting a list with a string and a hash in it.");
  }
  ControlCommand command;
  command.tnetstring = true;
  for (const Verb& verb : kVerbs) {
    if (verb.name == name->data) command.verb = verb.verb;
  }
  if (command.verb == ControlVerb::kNone) {
    return refused("CALLBACK_NOT_FOUND", "Callback requested was not found.");
  }
  if (command.verb == ControlVerb::kStatusNet) read_status(arguments->data, command);
  if (command.verb == ControlVerb::kKill) read_kill(arguments->data, command);
  return command;
}

// ---- words

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

ControlCommand read_words(std::string_view words) {
  ControlCommand command;
  for (const Verb& verb : kVerbs) {
    if (!verb.words.empty() && verb.words == words) command.verb = verb.verb;
  }
  if (words == "status net") command.verb = ControlVerb::kStatusNet;
  if (words == "status tasks") command.verb = ControlVerb::kStatusTasks;
  if (words.starts_with("kill ")) {
    command.verb = ControlVerb::kKill;
    command.text = trimmed(words.substr(5));
    command.id = parse_connection_id(command.text);
    if (command.id == 0) {
      command.verb = ControlVerb::kNone;
      command.answer = json_error("invalid id: " + std::string(command.text));
    }
  } else if (command.verb == ControlVerb::kNone) {
    command.answer = json_error("invalid command");
  }
  return command;
}

}  // namespace

ControlCommand read_control_command(std::string_view message) {
  while (!message.empty() && message.back() == '\0')
    message.remove_suffix(1);  // C clients send one
  if (!message.empty() && message[0] >= '0' && message[0] <= '9') {
    const auto request = parse_tnetstring(message);
    if (request.ok()) return read_tnetstring_command(request.value());
  }
  return read_words(trimmed(message));
}

std::string answer_time(bool tnetstring, int64_t seconds) {
  const std::string text = std::to_string(seconds);
  return tnetstring ? table({"time"}, {tnet(text)}) : "{\"time\": " + text + "}";
}

std::string answer_uuid(bool tnetstring, const std::string& uuid) {
  if (tnetstring) return table({"uuid"}, {tnet(uuid)});
  JsonWriter out;
  out.text(uuid);
  return "{\"uuid\": " + out.take() + "}";
}

std::string answer_info(bool tnetstring, const ControlInfo& info) {
  const std::pair<std::string_view, const std::string&> texts[] = {
      {"bind_addr", info.bind_addr},
      {"uuid", info.uuid},
      {"chroot", info.chroot},
      {"access_log", info.access_log},
      {"error_log", info.error_log},
      {"pid_file", info.pid_file},
      {"default_hostname", info.default_host}};
  if (tnetstring) {
    std::string row = tnet(info.port);
    for (const auto& [name, text] : texts) row += tnet(text);
    return table({"port", "bind_addr", "uuid", "chroot", "access_log", "error_log", "pid_file",
                  "default_hostname"},
                 {row});
  }
  JsonWriter out;
  out.begin_object();
  out.key("port");
  out.number(info.port);
  for (const auto& [name, text] : texts) {
    out.key(name);
    out.text(text);
  }
  out.end_object();
  return out.take();
}

std::string answer_help(bool tnetstring) {
  std::vector<std::string> rows;
  JsonWriter out;
  out.begin_object();
  for (const Verb& verb : kVerbs) {
    rows.push_back(tnet(verb.name) + tnet(verb.help));
    out.key(verb.name == "kill" ? "kill ID" : verb.words.empty() ? verb.name : verb.words);
    out.text(verb.name == "status" ? "net: the clients; tasks: the processes" : verb.help);
  }
  out.end_object();
  return tnetstring ? table({"name", "help"}, rows) : out.take();
}

std::string answer_tasks(bool tnetstring, const std::vector<ControlTask>& tasks) {
  std::vector<std::string> rows;
  JsonWriter out;
  out.begin_object();
  out.key("task_list");
  out.begin_array();
  int64_t id = 0;
  for (const ControlTask& task : tasks) {
    ++id;
    rows.push_back(tnet(id) + tnet("false", '!') + tnet(task.name) + tnet(task.state) +
                   tnet(task.state));
    out.begin_object();
    out.key("id");
    out.number(id);
    out.key("system");
    out.number(0);
    out.key("name");
    out.text(task.name);
    out.key("state");
    out.text(task.state);
    out.key("extra");
    out.text("");
    out.end_object();
  }
  out.end_array();
  out.end_object();
  if (tnetstring) return table({"id", "system", "name", "state", "status"}, rows);
  return out.take() + "\n";
}

std::string answer_net(bool tnetstring, const std::vector<std::string>& texts, unsigned silent) {
  std::vector<std::string> rows;
  std::string json = "{";
  size_t total = 0;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    while (const auto line = read_client_line(rest)) {
      ++total;
      if (!tnetstring) {
        json += '"' + std::to_string(line->id) + "\":" + std::to_string(line->last_ping) + ",";
        continue;
      }
      std::string row;
      for (const int64_t cell :
           {static_cast<int64_t>(line->id), line->fd, line->type, line->last_ping, line->last_read,
            line->last_write, static_cast<int64_t>(line->bytes_read),
            static_cast<int64_t>(line->bytes_written)}) {
        row += tnet(cell);
      }
      rows.push_back(std::move(row));
    }
  }
  if (tnetstring) {
    return table(
        {"id", "fd", "type", "last_ping", "last_read", "last_write", "bytes_read", "bytes_written"},
        rows);
  }
  if (silent > 0) json += "\"silent_workers\": " + std::to_string(silent) + ", ";
  return json + "\"total\": " + std::to_string(total) + "}";
}

std::string answer_kill(const ControlCommand& command, bool found, unsigned silent) {
  const std::string id(command.text);
  if (found) {
    return command.tnetstring ? table({"status"}, {tnet("OK")})
                              : "{\"result\": \"killed " + id + "\"}";
  }
  if (silent > 0) {
    constexpr std::string_view kSilent = "the worker of this connection did not answer";
    return command.tnetstring ? failure("CALLBACK_RETURN", kSilent) : json_error(kSilent);
  }
  return command.tnetstring ? failure("NOT_CONNECTED", "Socket not connected.")
                            : json_error("does not exist: " + id);
}

std::string answer_message(bool tnetstring, std::string_view text) {
  if (tnetstring) return table({"msg"}, {tnet(text)});
  JsonWriter out;
  out.text(text);
  return "{\"msg\": " + out.take() + "}";
}

}  // namespace m2
