// Rules of the server row, of directories and proxies; calls the rest.
#include "master/store/check.h"

#include <algorithm>
#include <string>

#include "common/config/climbs.h"
#include "common/in_quotes.h"
#include "master/store/endpoint.h"
#include "master/store/listeners.h"

namespace m2 {
namespace {

bool is_uuid_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.';
}

void check_server(const Config& config, Findings& findings) {
  const ServerRow& server = config.server;
  const auto error = [&](std::string_view column, std::string_view value, std::string_view what) {
    findings.error(at_cell("server", server.id, column, value), what);
  };
  if (server.uuid.empty() ||
      !std::all_of(server.uuid.begin(), server.uuid.end(), is_uuid_character)) {
    error("uuid", server.uuid,
          "must be letters, digits, '-', '_' and '.' only; m2sh uuid makes one");
  }
  if (server.access_log.empty() && !config.settings.flag("disable.access_logging")) {
    error("access_log", "", "must be a path in the chroot, as in \"/logs/access.log\"");
  }
  if (server.error_log.empty()) {
    error("error_log", "", "must be a path in the chroot, as in \"/logs/error.log\"");
  }
  if (server.pid_file.empty()) {
    error("pid_file", "", "must be a path in the chroot, as in \"/run/mongrel2.pid\"");
  }
  const auto stays = [&](std::string_view column, const std::string& path) {
    if (climbs(path)) error(column, path, kMustNotClimb);
  };
  stays("access_log", server.access_log);
  stays("error_log", server.error_log);
  stays("pid_file", server.pid_file);
  if (!is_numeric_address(server.bind_addr)) {
    error("bind_addr", server.bind_addr,
          "must be a numeric IPv4 or IPv6 address; write \"0.0.0.0\" or \"::\" for all");
  }
}

// What a base comes to without "." and double slashes.
struct Base {
  std::string folder;  // "static/css/"; "" when it is the chroot itself
  std::string last;    // "css/"
};

Base normalise(std::string_view path) {
  Base base;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    base.last = std::string(part) + '/';
    base.folder += base.last;
  }
  return base;
}

// An absolute base was legal in 1.x; what to write depends on where the server will look.
std::string absolute_advice(const Base& base, const ServerRow& server, bool as_root) {
  if (!as_root) {
    return "is absolute; it is looked up below the folder that the server runs in: have the files "
           "there and write " +
           in_quotes(base.last);
  }
  const std::string chroot = normalise(server.chroot).folder;
  std::string_view inside = base.folder;
  if (inside.size() > chroot.size() && inside.starts_with(chroot)) {
    inside.remove_prefix(chroot.size());
  }
  return "is absolute; it is looked up inside the chroot: write " + in_quotes(inside);
}

void check_directory(const Config& config, const DirRow& dir, bool as_root, Findings& findings) {
  const std::string place = at_cell("directory", dir.id, "base", dir.base);
  const Base base = normalise(dir.base);
  if (base.folder.empty()) {
    findings.error(place,
                   "would serve the whole chroot, with configuration and logs; name a "
                   "folder in it, as in \"static/\"");
  } else if (climbs(dir.base)) {
    findings.error(place,
                   "must not climb with \"..\"; name a folder in the chroot, as in "
                   "\"static/\"");
  } else if (dir.base.front() == '/') {
    findings.error(place, absolute_advice(base, config.server, as_root));
  } else if (dir.base.back() != '/') {
    findings.error(place, "must end in '/'; write " + in_quotes(dir.base + '/'));
  }
  const auto limit = static_cast<size_t>(config.settings.number("limits.dir_max_path"));
  if (dir.base.size() >= limit) {
    findings.error(place, "must be shorter than limits.dir_max_path (" + std::to_string(limit) +
                              " bytes); shorten it or raise that");
  }
  if (climbs(dir.index_file)) {
    findings.error(at_cell("directory", dir.id, "index_file", dir.index_file),
                   "must not climb with \"..\"; name a file in the folder");
  }
  if (!is_header_text(dir.default_ctype)) {
    findings.error(at_cell("directory", dir.id, "default_ctype", dir.default_ctype),
                   "must be a media type on one line, as in \"text/plain\"");
  }
}

}  // namespace

bool is_header_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F;
  });
}

void check_config(const Config& config, bool as_root, Findings& findings) {
  check_server(config, findings);
  check_hosts(config, findings);
  for (const DirRow& dir : config.dirs) check_directory(config, dir, as_root, findings);
  check_trust(config, findings);
  check_endpoints(config, findings);
  check_uploads(config, findings);
}

}  // namespace m2
