// Who decides what the database says, and how far his word reaches. Whoever can change the database
// of root's server gets no more than his own rights from it: docs/security.md. Found by the config
// reader while it still is root (database_writers.h), held against the plan by the master.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/treaty/messages.h"
#include "common/treaty/plan.h"

namespace m2 {

struct Author {
  bool bounded = false;  // false: root alone, or a server without root's rights to lend
  uid_t uid = 0;
  std::vector<gid_t> groups;  // all of his, his own first; never empty when bounded
  uint32_t free_port = 1024;  // from here on everybody may bind
  std::string who;            // "uid 1000 (zed), who owns /srv/site": for messages
  bool operator==(const Author&) const = default;

  bool has_group(gid_t group) const;
};

// A message's text; both ends stand side by side. Anything else is refused.
std::string write_author(const Author& author);
Result<Author> read_author(std::string_view text);

// What the plan asks for that its author has no right to, one line each with the way out.
std::vector<std::string> beyond_rights(const Plan& plan, const Author& author);

// "; WHO decides what the database says and gets no more than his own rights from it; ...": why a
// value is refused, and how it can be had.
std::string way_out(const Author& author);

}  // namespace m2
