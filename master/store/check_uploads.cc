// The rules for upload.temp_store: its form, and whether its folder is there and lets the server
// write. The only part of the checker that looks at the file system.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/config/upload_store.h"
#include "common/in_quotes.h"
#include "master/store/check.h"

namespace m2 {
namespace {

std::string at_setting(std::string_view key, const Settings& settings) {
  return "setting " + std::string(key) + " " + in_quotes(settings.text(key));
}

// As seen from where the reader stands, outside of the chroot.
std::string folder_of(const Config& config, bool as_root) {
  const std::string& store = config.settings.text("upload.temp_store");
  const std::string& chroot = config.server.chroot;
  const std::string folder = store.substr(0, store.rfind('/') + 1);
  const bool from_chroot = !chroot.empty() && (as_root || !store.starts_with('/'));
  return (from_chroot ? chroot + "/" + folder : folder) + ".";
}

// By the mode alone: there may be more rules (access lists), so a no is not certain.
bool seems_writable(const struct stat& folder, uid_t user, gid_t group) {
  const mode_t wanted = S_IWOTH | S_IXOTH;
  const unsigned shift = folder.st_uid == user ? 6 : folder.st_gid == group ? 3 : 0;
  return ((folder.st_mode >> shift) & wanted) == wanted;
}

}  // namespace

void check_uploads(const Config& config, Findings& findings) {
  const Settings& settings = config.settings;
  if (const std::string& store = settings.text("upload.temp_store"); !store.empty()) {
    const Status form = check_temp_store(store);
    if (!form.ok()) findings.error(at_setting("upload.temp_store", settings), form.message());
  }
  const auto mode = parse_temp_store_mode(settings.text("upload.temp_store_mode"));
  if (!mode.ok()) findings.error(at_setting("upload.temp_store_mode", settings), mode.message());
}

void check_upload_folder(const Config& config, bool as_root, Findings& findings) {
  const std::string& store = config.settings.text("upload.temp_store");
  if (store.empty() || !check_temp_store(store).ok()) return;
  const std::string place = at_setting("upload.temp_store", config.settings);
  const std::string path = folder_of(config, as_root);
  struct stat folder;
  if (::stat(path.c_str(), &folder) != 0) {
    // Whatever else it is, the reader may simply be nobody who can see it.
    if (errno == ENOENT || errno == ENOTDIR) {
      findings.error(place, "its folder is not there: make " + in_quotes(path));
    }
    return;
  }
  if (!as_root) {
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
      findings.error(place, "the server cannot create files in " + in_quotes(path) +
                                "; change its owner or mode");
    }
    return;
  }
  struct stat jail;
  if (::stat(config.server.chroot.c_str(), &jail) != 0 || jail.st_uid == 0) return;
  if (!seems_writable(folder, jail.st_uid, jail.st_gid)) {
    findings.warn(place, "uid " + std::to_string(jail.st_uid) +
                             ", as whom the server will run, cannot create files in " +
                             in_quotes(path) + "; change its owner or mode");
  }
}

}  // namespace m2
