#include "master/arguments.h"

#include <charconv>
#include <string_view>
#include <vector>

#include "proto/handler/connection_id.h"

namespace m2 {

const char kUsage[] =
    "usage: mongrel2 [-w WORKERS] DATABASE SERVER | mongrel2 --check DATABASE SERVER | "
    "mongrel2 --settings | --version | --help";

const char kHelp[] =
    "mongrel2 DATABASE SERVER          serve; SERVER is a uuid, or a name or host of one server\n"
    "         -w WORKERS               with this many workers, whatever the database says\n"
    "mongrel2 --check DATABASE SERVER  print what is wrong with a configuration; exit 0 or 1\n"
    "mongrel2 --settings               print every setting there is, as a table\n"
    "mongrel2 --version\n"
    "\n"
    "Signals: HUP reload and reopen logs, USR1 reopen logs, TERM or INT stop gracefully,\n"
    "QUIT or a second TERM or INT stop now.\n";

namespace {

Result<unsigned> parse_workers(std::string_view text) {
  unsigned workers = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), workers);
  if (error != std::errc() || end != text.data() + text.size() || workers < 1 ||
      workers > kSlotsMax) {
    return Status::error("-w " + std::string(text) + ": not a number from 1 to " +
                         std::to_string(kSlotsMax));
  }
  return workers;
}

}  // namespace

Result<Arguments> parse_arguments(std::span<const char* const> arguments) {
  Arguments result;
  std::vector<std::string> names;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word == "--check") {
      result.command = Arguments::Command::kCheck;
    } else if (word == "--settings") {
      result.command = Arguments::Command::kSettings;
    } else if (word == "--version") {
      result.command = Arguments::Command::kVersion;
    } else if (word == "--help" || word == "-h") {
      result.command = Arguments::Command::kHelp;
    } else if (word == "-w") {
      if (++i == arguments.size()) return Status::error("-w: a number must follow");
      Result<unsigned> workers = parse_workers(arguments[i]);
      if (!workers.ok()) return std::move(workers).status();
      result.workers = workers.value();
    } else if (word.starts_with("-")) {
      return Status::error("unknown option " + std::string(word));
    } else {
      names.emplace_back(word);
    }
  }
  const bool needs_names =
      result.command == Arguments::Command::kServe || result.command == Arguments::Command::kCheck;
  if (names.size() != (needs_names ? 2 : 0)) {
    return Status::error(needs_names ? "a database and a server are needed, nothing else"
                                     : "this option takes no arguments");
  }
  if (needs_names) {
    result.database = names[0];
    result.server = names[1];
  }
  return result;
}

}  // namespace m2
