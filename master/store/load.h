// From a database to a checked Config. Called by the config reader at start and at each reload, and
// by `mongrel2 --check`. Opens the file for reading only; writes nothing anywhere.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "master/store/finding.h"

namespace m2 {

struct Loaded {
  std::optional<Config> config;   // there exactly when no finding is an error
  std::vector<Finding> findings;  // all of them, in the order of the tables
};

// server: a uuid, or a name or default_host that only one server has. as_root: the server will run
// in its chroot. Takes at most about 2 s for a locked file, 20 s for reading and 5 s for names of
// proxied servers.
Loaded load_config(const std::string& db_path, const std::string& server, bool as_root);

}  // namespace m2
