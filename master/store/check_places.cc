// Whether what the start opens has a place: the server's folder, the folders of logs, pid file and
// sockets, the bases of Dirs. Looks at the file system from outside of the chroot, so that start,
// reload and check find the same, and all of it at once.
#include <sys/stat.h>

#include <cerrno>
#include <set>
#include <string>

#include "common/config/climbs.h"
#include "common/in_quotes.h"
#include "common/treaty/plan.h"
#include "master/file_safety.h"
#include "master/store/check.h"

namespace m2 {
namespace {

enum class Found { kNothing, kFolder, kSocket, kOther, kUnknown };

// Unknown: the reader may be nobody who can see it.
Found look(const std::string& path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0) {
    return errno == ENOENT || errno == ENOTDIR ? Found::kNothing : Found::kUnknown;
  }
  return S_ISDIR(facts.st_mode)    ? Found::kFolder
         : S_ISSOCK(facts.st_mode) ? Found::kSocket
                                   : Found::kOther;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// What is wrong with the place of a file that the server makes; "": nothing. real: as seen from
// here.
std::string fault_of(const std::string& real, bool socket) {
  const std::string folder = folder_of(real);
  const Found above = look(folder);
  if (above == Found::kNothing) return "its folder is not there; make it: mkdir -p " + folder;
  if (above == Found::kOther || above == Found::kSocket) {
    return "its folder, " + folder + ", is a file; remove that, or name another place";
  }
  const Found there = look(real);
  if (there == Found::kFolder) return "is a folder; name a file";
  if (socket && there == Found::kOther) {
    return "something stands at that path that is not a socket; remove it, or name another path";
  }
  return {};
}

class Places {
 public:
  Places(const Config& config, bool as_root, Findings& findings)
      : config_(config), as_root_(as_root), findings_(findings) {}

  void check() {
    if (!check_chroot()) return;
    check_files();
    check_sockets();
    for (const DirRow& dir : config_.dirs) check_base(dir);
  }

 private:
  // False: the rest lies in it.
  bool check_chroot() {
    const ServerRow& server = config_.server;
    const std::string place = at_cell("server", server.id, "chroot", server.chroot);
    if (server.chroot.empty()) {
      if (as_root_) {
        findings_.error(place,
                        "is empty, which only an ordinary user's server can have; as root name the "
                        "folder that it is to be locked in, or start as another user");
      }
      return !as_root_;
    }
    switch (look(server.chroot + "/.")) {
      case Found::kNothing:
        findings_.error(place, "is no folder that is there; make it: mkdir -p " + server.chroot +
                                   "/run " + server.chroot + "/logs");
        return false;
      case Found::kUnknown:
        return false;
      default:
        return true;
    }
  }

  void check_files() {
    const ServerRow& server = config_.server;
    const auto check = [&](std::string_view column, const std::string& path, bool is_opened) {
      if (path.empty() || climbs(path) || path == "/dev/stdout" || path == "/dev/stderr") return;
      judge(at_cell("server", server.id, column, path), in_folder(server, path, as_root_), false,
            is_opened);
    };
    if (!config_.settings.flag("disable.access_logging")) {
      check("access_log", server.access_log, true);
    }
    check("error_log", server.error_log, as_root_);  // an ordinary user has stderr
    check("pid_file", server.pid_file, true);
  }

  void check_sockets() {
    const ServerRow& server = config_.server;
    for (const HandlerRow& row : config_.handlers) {
      check_endpoint(at_cell("handler", row.id, "send_spec", row.send_spec), row.send_spec, true);
      check_endpoint(at_cell("handler", row.id, "recv_spec", row.recv_spec), row.recv_spec, true);
    }
    for (const ListenerRow& row : config_.listeners) {
      const std::string path = unix_path(row.address);
      if (path.empty() || path.back() == '/' || climbs(path)) continue;
      check_socket(at_cell("listener", row.id, "address", row.address), path, true);
    }
    // Last: of a folder whose name has been told already nothing is left to say.
    check_endpoint(at_cell("server", server.id, "control_port", server.control_port),
                   server.control_port, false);
  }

  void check_endpoint(const std::string& place, std::string_view endpoint, bool needed) {
    constexpr std::string_view kFile = "ipc://";
    if (!endpoint.starts_with(kFile)) return;
    const std::string path(endpoint.substr(kFile.size()));
    if (!path.empty() && !climbs(path)) check_socket(place, path, needed);
  }

  // Bound from inside the folder: without a chroot an absolute path is one.
  void check_socket(const std::string& place, const std::string& path, bool needed) {
    const bool outside = path.front() == '/' && !as_root_;
    const std::string real = outside ? path : in_folder(config_.server, path, as_root_);
    judge(place, real, true, needed);
  }

  void check_base(const DirRow& dir) {
    if (dir.base.empty() || dir.base.front() == '/' || climbs(dir.base)) return;
    const std::string place = at_cell("directory", dir.id, "base", dir.base);
    const Found found = look(in_folder(config_.server, dir.base, as_root_));
    if (found == Found::kNothing) {
      findings_.warn(place,
                     "is not there, so every request for it is answered 404; make it, or "
                     "correct the name");
    } else if (found != Found::kFolder && found != Found::kUnknown) {
      findings_.error(place, "is a file; name a folder");
    }
  }

  void judge(const std::string& place, const std::string& real, bool socket, bool needed) {
    const std::string fault = fault_of(real, socket);
    if (fault.empty()) return;
    const bool told = !told_.insert(folder_of(real)).second;
    if (needed) {
      findings_.error(place, fault);
    } else if (!told) {
      findings_.warn(place, fault);
    }
  }

  const Config& config_;
  const bool as_root_;
  Findings& findings_;
  std::set<std::string> told_;  // folders in which something has no place
};

}  // namespace

std::string in_folder(const ServerRow& server, const std::string& path, bool as_root) {
  if (server.chroot.empty() && !as_root) return real_name("", path);  // paths as they are
  const size_t begin = path.find_first_not_of('/');
  const std::string relative = begin == std::string::npos ? "." : path.substr(begin);
  return as_root ? real_name(server.chroot, relative)
                 : real_name("", server.chroot + "/" + relative);
}

void check_places(const Config& config, bool as_root, Findings& findings) {
  Places(config, as_root, findings).check();
}

}  // namespace m2
