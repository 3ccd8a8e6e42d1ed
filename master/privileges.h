// Where the server lives and as whom: its folder (server.chroot) and the owner of that folder.
// Looks first, changes nothing; then enters. Called by main. docs/security.md is its other half.
#pragma once

#include <string>
#include <vector>

#include "common/jail.h"
#include "common/owned_fd.h"
#include "common/status.h"
#include "common/treaty/plan.h"
#include "master/author.h"

namespace m2 {

struct Place {
  bool as_root = false;  // chroot and drop; else an ordinary user, who keeps his ids
  std::string folder;    // server.chroot as written, for messages; no trailing '/'
  OwnedFd directory;
  Jail jail;               // what children give up
  bool bounded = false;    // another than root decided (author.h)
  bool no_folder = false;  // server.chroot is empty: a path is what it is
  std::vector<std::string> warnings;

  // "/logs/error.log" means logs/error.log in the folder, whether or not there is a chroot.
  std::string inside(const std::string& path) const;
  // The path that a message shows to people who are not in the chroot.
  std::string outside(const std::string& path) const {
    return path.starts_with('/') ? path : folder + "/" + path;
  }
};

// Refused: a folder that cannot be entered; as root also one that belongs to root, unless the
// configuration asks for it, and one that is not the author's. Each message names the way out.
Result<Place> inspect_place(const Plan& plan, const Author& author);

// Whether children of this place, who stay whom they are, may do what this author says: root's word
// counts everywhere, that of a user only where they are he.
Status check_author(const Place& place, const Author& author);

// Whether the workers' jail, which cannot be widened, has the folder for uploads that plan names.
Status check_reachable(const Jail& jail, const Plan& plan);

// chdir and, as root, chroot. From here on every path is relative to the folder.
Status enter_place(const Place& place);

// The same before there is a Place.
std::string inside(const Plan& plan, const std::string& path);
// The folder of the pid file; private 0MQ endpoints live there too. No trailing '/'.
std::string run_directory(const Plan& plan);

// Until it is destroyed, files are opened, made and removed with the rights of the jail's user, so
// that nobody who may write in the folder can trick root into touching what only root may. Without
// a drop it does nothing.
class AsJailUser {
 public:
  explicit AsJailUser(const Jail& jail);
  ~AsJailUser();
  AsJailUser(const AsJailUser&) = delete;
  AsJailUser& operator=(const AsJailUser&) = delete;

 private:
  const bool active_;
};

// Raises the limit of open files towards wanted, beyond the hard limit only if so asked; returns
// what it is now. Children inherit it.
uint64_t raise_file_limit(uint64_t wanted, bool beyond_hard_limit);

}  // namespace m2
