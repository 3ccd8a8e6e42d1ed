// Small files that the master leaves beside its pid file for m2sh: written whole, by renaming, with
// the rights of the jail's user, whose folder it is.
#pragma once

#include <string>
#include <string_view>

#include "common/jail.h"
#include "common/status.h"
#include "master/privileges.h"

namespace m2 {

// path: inside the folder of the server. After an error the file is as it was before.
Status replace_file(const std::string& path, std::string_view text, const Jail& jail);

// "run/mongrel2.verdict" for "run/mongrel2.pid" and ".verdict".
std::string beside_pid_file(std::string pid_path, std::string_view ending);

}  // namespace m2
