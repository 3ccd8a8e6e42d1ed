// What strangers must not read or write: a Dir that would serve logs, keys, the run directory or
// the configuration (manual 4.9), and a database that everybody may change. Looks at the file
// system from outside of the chroot. As root all but one of these are errors; an ordinary user, who
// tries things out in a folder of his own, is warned.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "master/file_safety.h"
#include "master/store/check.h"

namespace m2 {
namespace {

struct Secret {
  std::string what;
  std::string name;  // as configured
  std::string real;
};

void report(bool as_root, const std::string& place, const std::string& what, Findings& findings) {
  if (as_root) {
    findings.error(place, what);
  } else {
    findings.warn(place, what);
  }
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

std::vector<Secret> secrets_of(const Config& config, bool as_root) {
  const ServerRow& server = config.server;
  const auto inside = [&](const std::string& path) { return in_folder(server, path, as_root); };
  std::vector<Secret> secrets;
  const auto add = [&](const std::string& what, const std::string& name) {
    if (!name.empty()) secrets.push_back({what, name, inside(name)});
  };
  add("the access log", server.access_log);
  add("the error log", server.error_log);
  add("the run directory", server.pid_file.empty() ? "" : folder_of(server.pid_file));
  if (const std::string& key = config.settings.text("curve.key_file"); !key.empty()) {
    secrets.push_back({"the secret key of curve.key_file", key, real_name("", key)});
  }
  return secrets;
}

// By check.cc: the whole chroot, an absolute base, one that climbs.
bool is_refused_anyway(const std::string& base) {
  if (base.empty() || base.front() == '/') return true;
  const std::filesystem::path path(base);
  const auto is_dots = [](const auto& part) { return part == "." || part.empty(); };
  return std::find(path.begin(), path.end(), "..") != path.end() ||
         std::all_of(path.begin(), path.end(), is_dots);
}

}  // namespace

void check_exposure(const Config& config, const std::string& db_path, bool as_root,
                    Findings& findings) {
  const std::vector<Secret> secrets = secrets_of(config, as_root);
  const std::string database = real_name("", db_path);
  for (const DirRow& dir : config.dirs) {
    if (is_refused_anyway(dir.base)) continue;
    const std::string place = at_cell("directory", dir.id, "base", dir.base);
    const std::string served = in_folder(config.server, dir.base, as_root);
    // The manual's first example has it so; workers know the file and never serve it.
    if (is_inside(database, served)) {
      findings.warn(place, "the configuration (" + db_path +
                               ") lies in it; it is not served, but keep them apart");
    }
    for (const Secret& secret : secrets) {
      if (!is_inside(secret.real, served)) continue;
      report(as_root, place,
             "would serve " + secret.what + " (" + secret.name + ") to everybody; keep them apart",
             findings);
    }
  }
}

void check_database_file(const std::string& db_path, Findings& findings) {
  struct stat file;
  if (::stat(db_path.c_str(), &file) != 0) return;  // reading it says more
  const std::string place = "database " + db_path;
  if (everybody_may_write(file)) {
    findings.warn(place,
                  "everybody may write to it, and so decide what the server does; chmod o-w it");
  }
  if (const std::string open = open_folder_above(db_path); !open.empty()) {
    findings.warn(place,
                  "everybody may put another file in its place, because everybody may write to " +
                      open + "; chmod o-w that, or move the database");
  }
}

}  // namespace m2
